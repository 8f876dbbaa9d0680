import { tmpdir } from "node:os";
import { join } from "node:path";

/** Who asks: the parts of the process that decide where sockets live. */
export interface SocketOwner {
  readonly environment: NodeJS.ProcessEnv;
  readonly uid: number;
}

/**
 * Where the local sockets of a user's agents live: `/run/tenuto` for root, `$XDG_RUNTIME_DIR/tenuto` for everybody else, and
 * a directory of the user's own below the temporary directory where the login session has no runtime directory.
 */
export function socketDirectory(owner: SocketOwner = currentOwner()): string {
  if (owner.uid === 0) return "/run/tenuto";
  const runtime = owner.environment.XDG_RUNTIME_DIR;
  return runtime ? join(runtime, "tenuto") : join(tmpdir(), `tenuto-${owner.uid}`);
}

/** The socket that an agent listens on when nothing else was configured. */
export function defaultSocketPath(label: string, owner: SocketOwner = currentOwner()): string {
  return join(socketDirectory(owner), `${label}.sock`);
}

function currentOwner(): SocketOwner {
  return { environment: process.env, uid: process.getuid?.() ?? 0 };
}
