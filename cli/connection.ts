import { type Command, InvalidArgumentError, Option } from "commander";
import type { AgentClient } from "#client/client.js";
import { UsageError } from "./exit.js";
import { LocalClient } from "./local-client.js";
import { findSocket } from "./socket.js";

/** Options of every command that speaks to a running agent. */
export interface ConnectionOptions {
  readonly socket?: string;
  readonly label?: string;
  readonly nats?: string;
  /** Milliseconds. */
  readonly timeout: number;
}

/** The options that say which agent is meant. */
export function connectionOptions(): readonly Option[] {
  return [
    new Option("--socket <path>", "the agent's local socket").env("TENUTO_SOCKET"),
    new Option("--label <label>", "the agent's name").env("TENUTO_LABEL"),
    new Option("--nats <url>", "reach the agent over NATS; needs --label"),
    new Option("--timeout <seconds>", "how long an answer may take").argParser(milliseconds).default(60_000, "60"),
  ];
}

/** Adds the options that say which agent is meant. */
export function withConnection(command: Command): Command {
  for (const option of connectionOptions()) command.addOption(option);
  return command;
}

/** Does something with a client and closes it afterwards. */
export async function withClient<T>(options: ConnectionOptions, use: (client: AgentClient) => Promise<T>): Promise<T> {
  const client = await connect(options);
  try {
    return await use(client);
  } finally {
    await client.close();
  }
}

async function connect({ socket, label, nats, timeout }: ConnectionOptions): Promise<AgentClient> {
  if (nats === undefined) return new LocalClient({ socketPath: findSocket({ socket, label }), timeout });
  if (label === undefined) throw new UsageError("--nats needs --label (or TENUTO_LABEL), to say which agent is meant");
  const { connectNats } = await import("#client/index.js");
  return await connectNats({ servers: nats, label, timeout });
}

function milliseconds(text: string): number {
  const seconds = Number(text);
  if (Number.isFinite(seconds) && seconds > 0) return seconds * 1000;
  throw new InvalidArgumentError("Expected a number of seconds.");
}
