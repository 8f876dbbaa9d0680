import { readdirSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { defaultSocketPath, socketDirectory } from "#core/agent/socket-path.js";
import { CommandError } from "./exit.js";

/** What the command line and the environment say about which agent is meant. */
export interface Address {
  readonly socket?: string | undefined;
  readonly label?: string | undefined;
}

const SYSTEM_DIRECTORY = "/run/tenuto";

/**
 * The local socket of the agent that is meant: the one named; else that of the label; else that of the host name; else,
 * when exactly one agent runs here, its socket. The path need not exist.
 *
 * Throws when several agents run here and nothing says which one is meant.
 */
export function findSocket({ socket, label }: Address): string {
  if (socket) return socket;
  const running = runningSockets();
  if (label) return running.get(label) ?? defaultSocketPath(label);
  const own = running.get(hostname());
  if (own !== undefined) return own;
  if (running.size > 1) {
    const labels = [...running.keys()].sort().join(", ");
    throw new CommandError(`several agents run here (${labels}); say which one with --label or TENUTO_LABEL`);
  }
  return [...running.values()][0] ?? defaultSocketPath(hostname());
}

/** Sockets by label; the user's own before the system's. */
function runningSockets(): Map<string, string> {
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
