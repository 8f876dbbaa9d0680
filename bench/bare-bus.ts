import { fileURLToPath } from "node:url";
import { Child } from "#test/support/child.js";

/** Starts the process that stands for a service which does nothing (echo.ts). Returns when it listens. */
export async function startEcho(url: string, replyBytes: number): Promise<Child> {
  const program = fileURLToPath(new URL("./echo.js", import.meta.url));
  const child = await Child.start([process.execPath, program, url, String(replyBytes)]);
  await child.logged(/ready/, 20_000);
  return child;
}
