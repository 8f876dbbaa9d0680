/**
 * The kernel of the machine that tests run in (see machine.ts): Debian's 6.12 for clouds, unpacked into the cache and not installed.
 */
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { aptGet, attempt, findProgram, freshLists, type Say } from "./programs.js";
import { cacheDirectory } from "./project.js";

/** Packages that depend on the newest kernel of their kind: the first is of Debian 12, the second of later ones. */
const META_PACKAGES = ["linux-image-6.12-cloud-amd64", "linux-image-cloud-amd64"];

const directory = join(cacheDirectory, "linux-cloud-amd64");

export interface MachineKernel {
  /** The kernel as an ELF file: QEMU starts that without the seconds that decompression takes an emulated processor. */
  readonly image: string;
  readonly version: string;
  /** Where its modules are, with their dependencies: what is /lib/modules/<version> in the machine. */
  readonly modules: string;
}

/** What the machine runs with; a text that says what is missing where it cannot run. */
export function machineParts():
  | { readonly kernel: MachineKernel; readonly qemu: string; readonly virtiofsd: string }
  | string {
  if (process.arch !== "x64") return `the kernel is one for x86-64, and this is ${process.arch}`;
  const qemu = findProgram("qemu-system-x86_64");
  if (qemu === undefined) return "no qemu-system-x86_64";
  const virtiofsd = findProgram("virtiofsd");
  if (virtiofsd === undefined) return "no virtiofsd";
  const kernel = machineKernel();
  return kernel === undefined ? "no kernel for it" : { kernel, qemu, virtiofsd };
}

function machineKernel(): MachineKernel | undefined {
  const all = join(directory, "lib/modules");
  const [version] = existsSync(all) ? readdirSync(all) : [];
  return version === undefined
    ? undefined
    : { image: join(directory, "vmlinux"), version, modules: join(all, version) };
}

/** Fetches what is missing of it. */
export function installMachine(say: Say): void {
  if (process.arch !== "x64") return;
  if (findProgram("qemu-system-x86_64") === undefined) aptGet(["qemu-system-x86"], say);
  // A part of QEMU up to Debian 12.
  if (findProgram("virtiofsd") === undefined) aptGet(["virtiofsd"], say);
  if (findProgram("depmod") === undefined) aptGet(["kmod"], say);
  if (findProgram("zstd") === undefined) aptGet(["zstd"], say);
  if (findProgram("wg") === undefined) aptGet(["wireguard-tools"], say);
  if (machineKernel() === undefined && findProgram("apt-get") !== undefined) fetchKernel(say);
}

function fetchKernel(say: Say): void {
  freshLists(say);
  const kernelPackage = META_PACKAGES.map(dependency).find((name) => name !== undefined);
  if (kernelPackage === undefined) {
    say(`none of ${META_PACKAGES.join(", ")} is known to apt`);
    return;
  }
  // Made beside its place and then moved: an interrupted download must not look complete.
  const partial = `${directory}.${process.pid}`;
  mkdirSync(partial, { recursive: true });
  try {
    if (!attempt(["apt-get", "-qq", "-o", "Acquire::Retries=3", "download", kernelPackage], say, {}, partial)) return;
    const [archive = ""] = readdirSync(partial).filter((name) => name.endsWith(".deb"));
    if (!attempt(["dpkg-deb", "--extract", archive, "."], say, {}, partial)) return;
    rmSync(join(partial, archive));
    const [version = ""] = readdirSync(join(partial, "lib/modules"));
    if (!attempt(["depmod", "--basedir", partial, version], say)) return;
    const packed = readFileSync(join(partial, "boot", `vmlinuz-${version}`));
    writeFileSync(join(partial, "vmlinux"), decompressed(payloadOf(packed)));
    if (!existsSync(directory)) renameSync(partial, directory);
  } catch (error) {
    say(`that failed: ${error instanceof Error ? error.message : error}`);
  } finally {
    rmSync(partial, { recursive: true, force: true });
  }
}

/** The versioned package that one depends on. */
function dependency(name: string): string | undefined {
  const { stdout } = spawnSync("apt-cache", ["depends", name], { encoding: "utf8" });
  return /^ *Depends: (linux-image-\S+)$/m.exec(stdout ?? "")?.[1];
}

/** The compressed kernel in a bzImage (Documentation/arch/x86/boot.rst: setup_sects, payload_offset, payload_length). */
function payloadOf(image: Buffer): Buffer {
  const protectedMode = (image.readUInt8(0x1f1) + 1) * 512;
  const start = protectedMode + image.readUInt32LE(0x248);
  // The last four bytes are the length of what comes out.
  return image.subarray(start, start + image.readUInt32LE(0x24c) - 4);
}

const DECOMPRESSORS = [
  { magic: "28b52ffd", command: ["zstd", "--decompress", "--stdout"] },
  { magic: "fd377a58", command: ["xz", "--decompress", "--stdout"] },
] as const;

function decompressed(payload: Buffer): Buffer {
  const magic = payload.subarray(0, 4).toString("hex");
  const [program, ...parameters] = DECOMPRESSORS.find((each) => each.magic === magic)?.command ?? [];
  if (program === undefined) throw new Error(`a kernel that is compressed in an unknown way (${magic})`);
  const { status, stdout, stderr, error } = spawnSync(program, parameters, { input: payload, maxBuffer: 1 << 30 });
  if (status !== 0) throw error ?? new Error(`${program}: ${stderr}`);
  return stdout;
}
