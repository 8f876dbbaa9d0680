import { readdirSync } from "node:fs";
import { connect } from "node:net";
import { hostname } from "node:os";
import { join } from "node:path";
import { defaultSocketPath, socketDirectory } from "#core/agent/socket-path.js";
import { CommandError } from "./exit.js";

/** What the command line and the environment say about which agent is meant. */
export interface AgentAddress {
  readonly socket?: string | undefined;
  readonly label?: string | undefined;
}

const SYSTEM_DIRECTORY = "/run/tenuto";

/**
 * The local socket of the agent that is meant: the one named; else that of the label; else that of the host name; else,
 * when exactly one agent runs here, its socket. The path need not exist. Sockets that nobody listens on any more do not count.
 *
 * Throws when several agents run here and nothing says which one is meant.
 */
export async function findSocket({ socket, label }: AgentAddress): Promise<string> {
  if (socket) return socket;
  const running = socketsHere();
  if (label) return running.get(label) ?? defaultSocketPath(label);
  const own = running.get(hostname());
  if (own !== undefined) return own;
  const alive = await listening(running);
  if (alive.size > 1) {
    const labels = [...alive.keys()].sort().join(", ");
    throw new CommandError(`several agents run here (${labels}); say which one with --label or TENUTO_LABEL`);
  }
  return [...alive.values()][0] ?? defaultSocketPath(hostname());
}

/** An agent that was killed leaves its socket behind. One that may not be used is somebody's all the same. */
async function listening(sockets: ReadonlyMap<string, string>): Promise<ReadonlyMap<string, string>> {
  const answers = await Promise.all([...sockets].map(async (each) => ({ each, isDead: await isRefused(each[1]) })));
  return new Map(answers.filter(({ isDead }) => !isDead).map(({ each }) => each));
}

function isRefused(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path);
    socket
      .once("connect", () => resolve(false))
      .once("error", (cause) => resolve("code" in cause && cause.code === "ECONNREFUSED"));
    socket.once("connect", () => socket.destroy());
  });
}

/** Sockets by label; the user's own before the system's. */
function socketsHere(): Map<string, string> {
  const found = new Map<string, string>();
  for (const directory of new Set([SYSTEM_DIRECTORY, socketDirectory()])) {
    for (const name of namesIn(directory)) {
      if (name.endsWith(".sock")) found.set(name.slice(0, -".sock".length), join(directory, name));
    }
  }
  return found;
}

function namesIn(directory: string): readonly string[] {
  try {
    return readdirSync(directory);
  } catch (cause) {
    // A directory that is missing or closed to us holds no socket for us.
    if (cause instanceof Error && "code" in cause) return [];
    throw cause;
  }
}
