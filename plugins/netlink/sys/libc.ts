import { endianness } from "node:os";
import koffi, { type KoffiFunc } from "koffi";
import { EINTR, SystemCallError } from "./errno.js";

/**
 * The C library, through koffi. Each binding is the call of the same name in section 2 of the manual, for 64-bit
 * little-endian Linux: the structures of this client are laid out by hand for it.
 */
const library = koffi.load(null);

function bind<F extends (...args: never[]) => number>(declaration: string): KoffiFunc<F> {
  return library.func(declaration) as KoffiFunc<F>;
}

export const libc = {
  socket: bind<(domain: number, type: number, protocol: number) => number>("int socket(int, int, int)"),
  bind: bind<(fd: number, address: Uint8Array, length: number) => number>("int bind(int, void *, uint)"),
  setsockopt: bind<(fd: number, level: number, name: number, value: Int32Array, length: number) => number>(
    "int setsockopt(int, int, int, void *, uint)",
  ),
  getsockopt: bind<(fd: number, level: number, name: number, value: Int32Array, length: Uint32Array) => number>(
    "int getsockopt(int, int, int, void *, void *)",
  ),
  getsockname: bind<(fd: number, address: Uint8Array, length: Uint32Array) => number>(
    "int getsockname(int, void *, void *)",
  ),
  send: bind<(fd: number, bytes: Uint8Array, length: number, flags: number) => number>(
    "long send(int, void *, ulong, int)",
  ),
  recvmmsg: bind<(fd: number, headers: Uint8Array, count: number, flags: number, timeout: null) => number>(
    "int recvmmsg(int, void *, uint, int, void *)",
  ),
  poll: bind<(fds: Int32Array, count: number, timeout: number) => number>("int poll(void *, ulong, int)"),
  eventfd: bind<(initial: number, flags: number) => number>("int eventfd(uint, int)"),
  read: bind<(fd: number, bytes: BigUint64Array, length: number) => number>("long read(int, void *, ulong)"),
  write: bind<(fd: number, bytes: BigUint64Array, length: number) => number>("long write(int, void *, ulong)"),
  ioctl: bind<(fd: number, request: number, argument: Uint8Array) => number>("int ioctl(int, ulong, void *)"),
  ioctlValue: bind<(fd: number, request: number, argument: number) => number>("int ioctl(int, ulong, ulong)"),
  open: bind<(path: string, flags: number, mode: number) => number>("int open(const char *, int, uint)"),
  close: bind<(fd: number) => number>("int close(int)"),
  setns: bind<(fd: number, type: number) => number>("int setns(int, int)"),
  unshare: bind<(flags: number) => number>("int unshare(int)"),
  mount: bind<(source: string, target: string, type: string, flags: number, data: null) => number>(
    "int mount(const char *, const char *, const char *, ulong, void *)",
  ),
  umount2: bind<(target: string, flags: number) => number>("int umount2(const char *, int)"),
} as const;

export function lastErrno(): number {
  return koffi.errno();
}

/**
 * Gives free memory of the C library back to the kernel (malloc_trim(3)): it keeps holes between blocks in use, some 100 MiB after
 * large messages and their fsync. Does nothing where the library has no such call (musl).
 */
export const giveMemoryBack: () => void = (() => {
  try {
    const trim = bind<(padding: number) => number>("int malloc_trim(ulong)");
    return () => void trim(0);
  } catch {
    return () => undefined;
  }
})();

/** The address of a buffer's memory, for structures that hold pointers. The caller keeps the buffer reachable. */
export function addressOf(buffer: ArrayBuffer): bigint {
  return koffi.address(buffer);
}

/** Repeats a call that a signal interrupted. Returns its result, or throws `SystemCallError` when that is negative. */
export function check(what: string, call: () => number): number {
  for (;;) {
    const result = call();
    if (result >= 0) return result;
    const errno = koffi.errno();
    if (errno !== EINTR) throw new SystemCallError(what, errno);
  }
}

/** `undefined` on a platform that this client's structures fit, otherwise why not. */
export function unsupportedPlatform(): string | undefined {
  if (process.platform !== "linux") return `netlink exists on Linux only, this is ${process.platform}`;
  if (koffi.sizeof("void *") !== 8 || endianness() !== "LE") {
    return `a 64-bit little-endian machine is needed, this is ${process.arch}`;
  }
  return undefined;
}
