/**
 * Another kernel for tests: user-mode Linux (Debian's package `user-mode-linux`), which runs as an ordinary process on this
 * machine's files and has the kinds of links that the machine's own kernel may lack. It boots in a few seconds.
 */
import { existsSync, readdirSync } from "node:fs";
import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Child } from "#test/support/child.js";
import { findProgram } from "#test/support/programs.js";
import { projectRoot } from "#test/support/project.js";

const MODULES = "/usr/lib/uml/modules";

/** The kernel, with its version; `undefined` where it is not installed. */
export function umlKernel(): { readonly program: string; readonly version: string } | undefined {
  const program = findProgram("linux.uml");
  const [version] = existsSync(MODULES) ? readdirSync(MODULES) : [];
  return program === undefined || version === undefined || findProgram("modprobe") === undefined
    ? undefined
    : { program, version };
}

export interface UmlJob {
  /** Kernel modules to load, in order. */
  readonly modules: readonly string[];
  /** Runs in the project's root as the machine's superuser. */
  readonly command: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  /** How long the machine may run, milliseconds. */
  readonly timeLimit: number;
}

export interface UmlResult {
  /** Standard output of the command. */
  readonly output: string;
  /** Standard error of the command, and what the kernel said. */
  readonly log: string;
}

/** Boots a machine, runs a command in it, and switches it off. Throws, quoting the log, when it does not end in time. */
export async function runInUml(job: UmlJob): Promise<UmlResult> {
  const kernel = umlKernel();
  if (kernel === undefined) throw new Error("user-mode Linux is not installed");
  const directory = await mkdtemp(join(tmpdir(), "tenuto-uml-"));
  try {
    const modules = join(directory, "lib/modules");
    await mkdir(modules, { recursive: true });
    await symlink(join(MODULES, kernel.version), join(modules, kernel.version));
    const init = join(directory, "init");
    await writeFile(init, initScript(job, directory), { mode: 0o755 });
    const console = await boot(kernel.program, directory, init, job.timeLimit);
    const [output, errors] = await Promise.all([read(directory, "output"), read(directory, "errors")]);
    return { output, log: `${errors}${console}` };
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

async function boot(program: string, directory: string, init: string, timeLimit: number): Promise<string> {
  const root = ["root=/dev/root", "rootfstype=hostfs", "rootflags=/", "rw", `init=${init}`];
  const devices = ["mem=768M", "con=null", "con0=null,fd:1", `uml_dir=${directory}`, "quiet"];
  const machine = await Child.start([program, ...root, ...devices], { env: { TMPDIR: "/dev/shm" } });
  const limit = AbortSignal.timeout(timeLimit);
  limit.addEventListener("abort", () => machine.signal("SIGTERM"));
  await machine.exited;
  if (limit.aborted) throw machine.failure(`did not end within ${timeLimit} ms`);
  return machine.log;
}

function initScript({ modules, command, environment }: UmlJob, directory: string): string {
  const settings = Object.entries({ PATH: process.env.PATH ?? "", HOME: directory, ...environment });
  return `#!/bin/sh
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t tmpfs run /run
export ${settings.map(([name, value]) => `${name}=${quoted(value)}`).join(" ")}
exec 2>${quoted(join(directory, "errors"))}
for module in ${modules.join(" ")}; do modprobe -d ${quoted(directory)} $module; done
ip link set lo up
cd ${quoted(projectRoot)}
${command.map(quoted).join(" ")} >${quoted(join(directory, "output"))}
sync
echo o >/proc/sysrq-trigger
while :; do sleep 1; done
`;
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

async function read(directory: string, name: string): Promise<string> {
  const file = join(directory, name);
  return existsSync(file) ? readFile(file, "utf8") : "";
}
