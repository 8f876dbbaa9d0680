import { readFileSync } from "node:fs";
import { type Command, InvalidArgumentError, Option } from "commander";
import type { AgentClient } from "#client/client.js";
import { errorMessage } from "#core/errors.js";
import { CommandError, UsageError } from "./exit.js";
import { LocalClient } from "./local-client.js";
import { findSocket } from "./socket.js";

/** Options of every command that speaks to a running agent. */
export interface ConnectionOptions {
  readonly socket?: string;
  readonly label?: string;
  readonly nats?: string;
  readonly http?: string;
  readonly tokenFile?: string;
  /** Milliseconds. */
  readonly timeout: number;
}

/** The options that say which agent is meant. */
export function connectionOptions(): readonly Option[] {
  return [
    new Option("--socket <path>", "the agent's local socket").env("TENUTO_SOCKET"),
    new Option("--label <label>", "the agent's name").env("TENUTO_LABEL"),
    new Option("--nats <url>", "reach the agent over NATS; needs --label"),
    new Option("--http <url>", "reach the agent over TCP: http://127.0.0.1:9191").env("TENUTO_HTTP"),
    new Option("--token-file <path>", "file with the token that --http needs").env("TENUTO_TOKEN_FILE"),
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

async function connect(options: ConnectionOptions): Promise<AgentClient> {
  const { socket, label, nats, http, tokenFile, timeout } = options;
  // What is said on the command line is meant before what the environment says.
  if (http !== undefined && http !== "" && nats === undefined && socket === undefined) {
    return new LocalClient({ ...overHttp(http, tokenFile), timeout });
  }
  if (nats === undefined) return new LocalClient({ socketPath: await findSocket({ socket, label }), timeout });
  if (label === undefined) throw new UsageError("--nats needs --label (or TENUTO_LABEL), to say which agent is meant");
  const { connectNats } = await import("#client/index.js");
  return await connectNats({ servers: nats, label, timeout });
}

/** A token is read from a file: what is on a command line is seen by everybody on the host. */
function overHttp(address: string, tokenFile: string | undefined): { readonly url: URL; readonly token?: string } {
  const url = parsedUrl(address);
  if (url === null || !["http:", "https:"].includes(url.protocol)) {
    throw new UsageError(`--http is "${address}", expected an address such as http://127.0.0.1:9191`);
  }
  if (url.username !== "" || url.password !== "") throw new UsageError("--http takes no secrets; use --token-file");
  if (tokenFile === undefined || tokenFile === "") return { url };
  try {
    return { url, token: readFileSync(tokenFile, "utf8").trim() };
  } catch (cause) {
    throw new CommandError(`cannot read --token-file: ${errorMessage(cause)}`);
  }
}

function milliseconds(text: string): number {
  const seconds = Number(text);
  if (Number.isFinite(seconds) && seconds > 0) return seconds * 1000;
  throw new InvalidArgumentError("Expected a number of seconds.");
}

function parsedUrl(text: string): URL | null {
  return URL.canParse(text) ? new URL(text) : null;
}
