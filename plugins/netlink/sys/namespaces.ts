import { closeSync, constants, fstatSync, lstatSync, mkdirSync, openSync, statSync, unlinkSync } from "node:fs";
import { kindOfFile } from "#core/files/regular.js";
import { EEXIST, EINVAL, ENOTTY, SystemCallError } from "./errno.js";
import { check, lastErrno, libc } from "./libc.js";

const CLONE_NEWNET = 0x40000000;
const MS_BIND = 0x1000;
const MS_REC = 0x4000;
const MS_SHARED = 0x100000;
const MNT_DETACH = 2;
/** linux/nsfs.h: the kind of a namespace, as its CLONE_NEW… flag (since Linux 4.11). */
const NS_GET_NSTYPE = 0xb703;
const UMOUNT_NOFOLLOW = 8;

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

/** Of the open file of any namespace: is it a network namespace? */
export function isNetworkNamespace(fd: number): boolean {
  const kind = libc.ioctlValue(fd, NS_GET_NSTYPE, 0);
  return kind === CLONE_NEWNET || (kind < 0 && lastErrno() === ENOTTY);
}

/**
 * Makes a namespace, runs `inside` in it, and keeps it by a bind mount at `path`, as ip-netns(8) does. Until it is mounted it has no name and
 * ends with this thread: what `inside` does is done before anybody can find it, and when the process dies before, nothing but
 * the empty file is left.
 */
export function createAt(directory: string, path: string, home: number, inside: () => void): void {
  mkdirSync(directory, { recursive: true, mode: 0o755 });
  shareMounts(directory);
  checkFree(path);
  check("unshare(CLONE_NEWNET)", () => libc.unshare(CLONE_NEWNET));
  try {
    inside();
    mountOn(path);
  } finally {
    goHome(home);
  }
}

/** An empty file with no namespace on it was left over by a reboot or a crash: it will do. */
function checkFree(path: string): void {
  const there = lstatSync(path, { throwIfNoEntry: false, bigint: true });
  if (there === undefined) return;
  if (there.dev === statSync(ownNamespacePath, { bigint: true }).dev)
    throw new SystemCallError(`mount ${path}`, EEXIST);
  if (there.isFile()) return;
  throw new SystemCallError(`mount ${path}, where ${kindOfFile(there)} is in the way: remove it`, EEXIST);
}

function mountOn(path: string): void {
  closeSync(openSync(path, constants.O_RDONLY | constants.O_CREAT | constants.O_NOFOLLOW | constants.O_NONBLOCK, 0));
  try {
    check(`mount ${path}`, () => libc.mount(ownNamespacePath, path, "none", MS_BIND, null));
  } catch (error) {
    unlinkSync(path);
    throw error;
  }
}

/** Removes what `createAt` or ip-netns(8) made. */
export function deleteAt(path: string): void {
  if (libc.umount2(path, MNT_DETACH | UMOUNT_NOFOLLOW) < 0) {
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
