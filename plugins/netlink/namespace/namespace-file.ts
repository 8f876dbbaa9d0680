import { type BigIntStats, close, constants, fstat, lstat, open, readFile, statSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { errorMessage, InvalidInputError, SouthboundError } from "#core/errors.js";
import { kindOfFile, O_PATH, patiently } from "#core/files/index.js";
import { isNetworkNamespace } from "../sys/namespaces.js";
import type { NamespaceRef } from "../types.js";

/** Descriptors, since the worker closes them; a FileHandle would insist on doing so itself. */
const opened = promisify(open);
const closed = promisify(close);
const statOf = promisify(fstat) as (fd: number, options: { readonly bigint: true }) => Promise<BigIntStats>;
const linkStatOf = promisify(lstat);
const read = promisify(readFile);

/** What such a path says lies in the kernel itself, which does not keep anybody waiting. */
const OF_THE_KERNEL = /^\/proc\/((self|\d+)\/(task\/\d+\/)?ns\/net|self\/fd\/\d+)$/;

export interface NamespaceFile {
  /** Open; the caller's to close. */
  readonly fd: number;
  readonly identity: string;
  /** What it was found by. The start time of the process is in it where there is one. */
  readonly ref: NamespaceRef;
}

/**
 * Opens the file of a network namespace, and nothing else: what the path leads to is looked at before it is opened, so that a FIFO or a
 * device does not notice, and nothing waits for it. Never on this thread. Rejects with `SouthboundError`.
 */
export async function openNamespaceFile(ref: NamespaceRef, directory: string): Promise<NamespaceFile> {
  try {
    switch (ref.kind) {
      case "default":
        return await opening("/proc/self/ns/net", ref);
      case "pid":
        return await ofProcess(ref);
      case "named":
        return await ofName(join(directory, checkName(ref.name)), ref);
      case "path":
        return OF_THE_KERNEL.test(ref.path) ? await opening(ref.path, ref) : await inTime(ref.path, ref);
    }
  } catch (error) {
    if (error instanceof InvalidInputError) throw error;
    const code = error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : "EIO";
    throw new SouthboundError(code, `open ${describeNamespace(ref)}: ${errorMessage(error)}`, { cause: error });
  }
}

/** As long as the directory of a process is open, what is found in it is of that process, also when another gets its id. */
async function ofProcess(ref: NamespaceRef & { readonly kind: "pid" }): Promise<NamespaceFile> {
  const process = await opened(`/proc/${ref.pid}`, O_PATH | constants.O_DIRECTORY);
  try {
    const startTime = startTimeIn(await read(`/proc/self/fd/${process}/stat`, "latin1"));
    if (ref.startTime !== undefined && ref.startTime !== startTime) {
      throw withCode("ESRCH", `process ${ref.pid} has ended, and another one has its id now`);
    }
    return await opening(`/proc/self/fd/${process}/ns/net`, { ...ref, startTime });
  } finally {
    await closed(process);
  }
}

/** Often it is a link to the namespace of a container; it may lead anywhere. */
async function ofName(path: string, ref: NamespaceRef): Promise<NamespaceFile> {
  const isLink = (await linkStatOf(path)).isSymbolicLink();
  return isLink ? inTime(path, ref) : opening(path, ref);
}

function inTime(path: string, ref: NamespaceRef): Promise<NamespaceFile> {
  return patiently(
    path,
    () => opening(path, ref),
    ({ fd }) => void closed(fd),
  );
}

async function opening(path: string, ref: NamespaceRef): Promise<NamespaceFile> {
  const place = await opened(path, O_PATH);
  try {
    const stat = await statOf(place, { bigint: true });
    if (stat.dev !== namespaceDevice()) {
      if (ref.kind === "named" && stat.isFile()) throw withCode("ENOENT", `no namespace is mounted on ${path}`);
      throw withCode("EINVAL", `${path} is ${kindOfFile(stat)}, not a network namespace`);
    }
    const fd = await opened(`/proc/self/fd/${place}`, constants.O_RDONLY | constants.O_NONBLOCK);
    if (isNetworkNamespace(fd)) return { fd, identity: identityOf(stat), ref };
    await closed(fd);
    throw withCode("EINVAL", `${path} is a namespace of another kind, not a network namespace`);
  } finally {
    await closed(place);
  }
}

let device: bigint | undefined;

/** Of the kernel's file system of namespaces (nsfs), of which there is one. */
export function namespaceDevice(): bigint {
  device ??= statSync("/proc/self/ns/net", { bigint: true }).dev;
  return device;
}

/** Of a namespace's file; its own for as long as the namespace exists. */
export function identityOf({ dev, ino }: Pick<BigIntStats, "dev" | "ino">): string {
  return `${dev}:${ino}`;
}

/** Field 22 of proc_pid_stat(5), after the name of the program, which may contain anything. */
export function startTimeIn(stat: string): string {
  return stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19] ?? "";
}

export function describeNamespace(ref: NamespaceRef): string {
  switch (ref.kind) {
    case "default":
      return "the default network namespace";
    case "named":
      return `network namespace ${ref.name}`;
    case "pid":
      return `the network namespace of process ${ref.pid}`;
    case "path":
      return `network namespace ${ref.path}`;
  }
}

/** A name is one file name. Throws `InvalidInputError` for any other. */
export function checkName(name: string): string {
  if (name === "" || name === "." || name === ".." || name.includes("/") || name.includes("\0") || name.length > 255) {
    throw new InvalidInputError("INVALID_VALUE", `"${name}" cannot be the name of a network namespace`, {
      field: "name",
    });
  }
  return name;
}

function withCode(code: string, message: string): Error {
  return Object.assign(new Error(message), { code });
}
