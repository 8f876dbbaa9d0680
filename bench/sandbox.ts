import { spawn } from "node:child_process";
import { once } from "node:events";
import { text } from "node:stream/consumers";

const marker = "TENUTO_BENCH_SANDBOX";
/** An empty /run, for named namespaces and for files that should not touch a disk. */
const enter = 'mount -t tmpfs tmpfs /run && ip link set lo up && exec "$@"';

export function inSandbox(): boolean {
  return process.env[marker] === "entered";
}

/**
 * Runs this program again, with other parameters, in a network and a mount namespace of its own, so that no benchmark touches the
 * host or another one. As an ordinary user through a user namespace. Its standard error is shown as it comes. Resolves
 * with its standard output; rejects when it fails.
 */
export async function inOwnSandbox(parameters: readonly string[]): Promise<string> {
  const user = process.getuid?.() === 0 ? [] : ["--user", "--map-root-user"];
  const [, program = ""] = process.argv;
  const again = [process.execPath, ...process.execArgv, program, ...parameters];
  const child = spawn("unshare", [...user, "--net", "--mount", "sh", "-c", enter, "sh", ...again], {
    stdio: ["inherit", "pipe", "inherit"],
    env: { ...process.env, [marker]: "entered" },
  });
  const [output, [status]] = await Promise.all([text(child.stdout), once(child, "exit")]);
  if (status !== 0) throw new Error(`it ended with status ${status}`);
  return output;
}
