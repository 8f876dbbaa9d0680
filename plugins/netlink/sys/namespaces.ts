import { closeSync, fstatSync, mkdirSync, openSync, statSync, unlinkSync } from "node:fs";
import { EEXIST, EINVAL, SystemCallError } from "./errno.js";
import { check, lastErrno, libc } from "./libc.js";

const CLONE_NEWNET = 0x40000000;
const MS_BIND = 0x1000;
const MS_REC = 0x4000;
const MS_SHARED = 0x100000;
const MNT_DETACH = 2;

/** The calling thread's, which is not `/proc/self` on any thread but the first. */
export const ownNamespacePath = "/proc/thread-self/ns/net";

/**
 * Runs `inside` with this thread in the namespace of `fd`. Synchronous, so that nothing else ever runs there. When
 * there is no way back the thread must end: the error then says so and is not a `SystemCallError`.
 */
export function inNamespace<T>(fd: number, home: number, inside: () => T): T {
  // Entering a namespace needs CAP_SYS_ADMIN, even the one that the thread is in.
  if (isSame(fd, home)) return inside();
  check("setns", () => libc.setns(fd, CLONE_NEWNET));
  try {
    return inside();
  } finally {
    goHome(home);
  }
}

function isSame(fd: number, other: number): boolean {
  const [a, b] = [fstatSync(fd, { bigint: true }), fstatSync(other, { bigint: true })];
  return a.dev === b.dev && a.ino === b.ino;
}

function goHome(home: number): void {
  if (libc.setns(home, CLONE_NEWNET) < 0) {
    throw new Error(`this thread cannot leave a foreign network namespace (errno ${lastErrno()})`);
  }
}

/** Makes a namespace, runs `inside` in it, and keeps it by a bind mount at `path`, as ip-netns(8) does. */
export function createAt(directory: string, path: string, home: number, inside: () => void): void {
  mkdirSync(directory, { recursive: true, mode: 0o755 });
  shareMounts(directory);
  makeMountPoint(path);
  try {
    check("unshare(CLONE_NEWNET)", () => libc.unshare(CLONE_NEWNET));
    try {
      check(`mount ${path}`, () => libc.mount(ownNamespacePath, path, "none", MS_BIND, null));
      inside();
    } finally {
      goHome(home);
    }
  } catch (error) {
    libc.umount2(path, MNT_DETACH);
    unlinkSync(path);
    throw error;
  }
}

/**
 * An empty file. One that is there already, with no namespace on it, was left over by a reboot or a crash: it will do.
 */
function makeMountPoint(path: string): void {
  if (statSync(path, { throwIfNoEntry: false })?.dev === statSync(ownNamespacePath).dev) {
    throw new SystemCallError(`mount ${path}`, EEXIST);
  }
  closeSync(openSync(path, "a", 0));
}

/** Removes what `createAt` or ip-netns(8) made. */
export function deleteAt(path: string): void {
  if (libc.umount2(path, MNT_DETACH) < 0) {
    const errno = lastErrno();
    // EINVAL: nothing is mounted there, only the file is left.
    if (errno !== EINVAL) throw new SystemCallError(`umount ${path}`, errno);
  }
  unlinkSync(path);
}

/**
 * Makes the directory a shared mount, so that namespaces appear in, and can be removed from, other mount namespaces
 * (ip-netns(8) does the same). Where that is not allowed the bind mount that follows is refused too, and reports it.
 */
function shareMounts(directory: string): void {
  if (libc.mount("", directory, "none", MS_SHARED | MS_REC, null) === 0) return;
  if (lastErrno() !== EINVAL) return;
  if (libc.mount(directory, directory, "none", MS_BIND | MS_REC, null) < 0) return;
  libc.mount("", directory, "none", MS_SHARED | MS_REC, null);
}
