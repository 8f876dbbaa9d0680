/**
 * Another kernel for tests: a virtual machine that QEMU emulates (no KVM is needed), with this machine's files as its root file system. It
 * starts in a few seconds and has every kind of link. Everything of it ends with the process that started it, however that ends.
 */
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Child } from "./child.js";
import { type MachineKernel, machineParts } from "./machine-kernel.js";
import { projectRoot } from "./project.js";

/** What the machine may have of this one. */
const MEMORY = "2G";
const PROCESSORS = 2;
const TRANSLATIONS_MIB = 512;

/**
 * A processor of few features: what newer ones have (wide registers, guards of the kernel's memory) is not quicker when it is emulated but
 * a fifth slower.
 */
const MODEL = "Nehalem";

/**
 * A panic ends the machine, and so does a fault of the kernel. Processors that get little time must not make the kernel distrust its timers.
 * Without mitigations emulated code is faster.
 */
const KERNEL_PARAMETERS =
  "root=rootfs rootfstype=virtiofs rw console=ttyS0 quiet panic=-1 oops=panic no_timer_check tsc=reliable nowatchdog mitigations=off";

export interface MachineJob {
  /** Runs in the project's root as the machine's superuser. */
  readonly command: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  /** Called with what the command writes, standard output and error alike. */
  readonly onOutput: (text: string) => void;
  /** How long the machine may run, milliseconds. */
  readonly timeLimit: number;
  /** Switches the machine off at once. */
  readonly signal?: AbortSignal;
}

/**
 * Starts a machine, runs a command in it, and switches it off. Returns the command's exit status. Throws, quoting the kernel, when the
 * machine ends before the command (a panic) or runs for too long.
 */
export async function runInMachine(job: MachineJob): Promise<number> {
  const parts = machineParts();
  if (typeof parts === "string") throw new Error(`the machine cannot be started: ${parts}`);
  const directory = await mkdtemp(join(tmpdir(), "tenuto-machine-"));
  const [files, output, console] = ["files.sock", "output.sock", "console"].map((name) => join(directory, name)) as [
    string,
    string,
    string,
  ];
  const status = join(directory, "status");
  const port = await listen(output, job.onOutput);
  try {
    await writeFile(join(directory, "init"), initScript(job, parts.kernel, directory), { mode: 0o755 });
    const sharing = await Child.start(sharingCommand(parts.virtiofsd, files));
    try {
      await sharing.logged(/Waiting for vhost-user socket connection/, 60_000);
      const machine = await Child.start(
        machineCommand(parts.qemu, parts.kernel, { files, output, console, init: join(directory, "init") }),
      );
      const limit = AbortSignal.timeout(job.timeLimit);
      const off = AbortSignal.any([limit, ...(job.signal === undefined ? [] : [job.signal])]);
      off.addEventListener("abort", () => machine.signal("SIGKILL"));
      await machine.exited;
      await port.read();
      if (existsSync(status)) return Number(await readFile(status, "utf8"));
      const said = existsSync(console) ? (await readFile(console, "utf8")).slice(-4000) : "";
      const what = limit.aborted ? `did not end within ${job.timeLimit / 1000} s` : "ended before what ran in it";
      throw new Error(`the machine ${what}\n${machine.log}${said}`);
    } finally {
      await sharing.kill();
    }
  } finally {
    port.server.close();
    await rm(directory, { recursive: true, force: true });
  }
}

interface Port {
  readonly server: Server;
  /** Settles when everything that the machine wrote has been handed on. */
  readonly read: () => Promise<unknown>;
}

async function listen(path: string, onOutput: (text: string) => void): Promise<Port> {
  const closed: Promise<unknown>[] = [];
  const server = createServer((socket) => {
    closed.push(once(socket, "close"));
    socket.setEncoding("utf8").on("data", onOutput);
  });
  server.listen(path);
  await once(server, "listening");
  return { server, read: () => Promise.all(closed) };
}

/**
 * The daemon that shares the root file system. In a mount namespace of its own, since it insists on a file in /run; `chroot` since
 * a root file system that is the kernel's first one can be no pivot_root(2).
 */
function sharingCommand(program: string, socket: string): readonly string[] {
  const asRoot = process.getuid?.() === 0 ? [] : ["--user", "--map-root-user"];
  const options = ["-o", "source=/", "-o", "cache=always", "-o", "sandbox=chroot"];
  const script = 'mount -t tmpfs run /run && exec "$@"';
  return ["unshare", ...asRoot, "--mount", "sh", "-c", script, "sh", program, `--socket-path=${socket}`, ...options];
}

function machineCommand(
  program: string,
  { image }: MachineKernel,
  { files, output, console, init }: Readonly<Record<"files" | "output" | "console" | "init", string>>,
): readonly string[] {
  const words = (line: string): readonly string[] => line.split(" ");
  return [
    // What runs beside it talks to brokers, which count seconds; what runs in it waits.
    ...words("nice -n 5"),
    program,
    ...words("-nodefaults -no-user-config -display none -no-reboot -machine q35"),
    ...words(`-accel tcg,thread=multi,tb-size=${TRANSLATIONS_MIB} -cpu ${MODEL} -smp ${PROCESSORS} -m ${MEMORY}`),
    // virtiofsd reads and writes the machine's memory.
    ...words(`-object memory-backend-memfd,id=memory,size=${MEMORY},share=on -numa node,memdev=memory`),
    ...words("-device vhost-user-fs-pci,chardev=files,tag=rootfs"),
    ...["-chardev", `socket,id=files,path=${files}`],
    ...words("-device virtio-serial-pci -device virtserialport,chardev=output,name=output"),
    ...["-chardev", `socket,id=output,path=${output}`, "-serial", `file:${console}`],
    ...["-kernel", image, "-append", `${KERNEL_PARAMETERS} init=${init}`],
  ];
}

/**
 * The machine's first process. It writes the status of its command and resets the machine, which ends QEMU (`-no-reboot`). Temporary files
 * are the machine's own: /dev/shm, since a test's sandbox has another /run. No program changes the user by its mode: where an ordinary user
 * shares the files, those of root belong to nobody.
 */
function initScript({ command, environment }: MachineJob, kernel: MachineKernel, directory: string): string {
  const settings = Object.entries({
    PATH: process.env.PATH ?? "",
    HOME: "/dev/shm",
    TERM: "dumb",
    TMPDIR: "/dev/shm",
    ...environment,
  });
  const modules = `/lib/modules/${kernel.version}`;
  return `#!/bin/sh
[ "$1" = again ] || exec setpriv --no-new-privs "$0" again
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
mkdir -p /dev/shm /dev/pts
mount -t tmpfs shm /dev/shm
mount -t devpts pts /dev/pts
mount -t cgroup2 cgroup /sys/fs/cgroup
mount -t tmpfs run /run
[ -d /lib/modules ] || mkdir /lib/modules
mount -t tmpfs modules /lib/modules
mkdir ${modules}
mount --bind ${quoted(kernel.modules)} ${modules}
ip link set lo up
cd ${quoted(projectRoot)}
export ${settings.map(([name, value]) => `${name}=${quoted(value)}`).join(" ")}
(${command.map(quoted).join(" ")}) >"/dev/$(ls /sys/class/virtio-ports)" 2>&1 </dev/null
echo $? >${quoted(join(directory, "status"))}
sync
echo b >/proc/sysrq-trigger
while :; do sleep 1; done
`;
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
