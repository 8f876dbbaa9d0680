import type { Command } from "commander";
import { type ClientOptions, clientCommand } from "../client-command.js";
import { printResult } from "../result.js";

/** `tenuto confirm`. */
export function confirmCommand(): Command {
  return clientCommand<ClientOptions, [id: string]>({
    usage: "confirm <id>",
    summary: "keep a transaction that waits for confirmation",
    description: "Keep a transaction that waits for confirmation.",
    examples: ["tenuto confirm 9f0c2d6e-5f0a-4a57-9d0f-6a2f4b1c7e11"],
    run: async (client, { output }, id) => printResult(output, await client.confirm(id)),
  });
}

/** `tenuto cancel`. */
export function cancelCommand(): Command {
  return clientCommand<ClientOptions, [id: string]>({
    usage: "cancel <id>",
    summary: "revert a transaction that waits for confirmation",
    description: "Revert a transaction that waits for confirmation, at once.",
    examples: ["tenuto cancel 9f0c2d6e-5f0a-4a57-9d0f-6a2f4b1c7e11"],
    run: async (client, { output }, id) => {
      const result = await client.cancel(id);
      // Reverted is what was asked for.
      await printResult(output, result, result.outcome === "REVERTED");
    },
  });
}
