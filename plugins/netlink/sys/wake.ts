import { check, libc } from "./libc.js";

const EFD_CLOEXEC = 0x80000;
const EFD_NONBLOCK = 0x800;
const one = BigUint64Array.of(1n);

/** An eventfd: what one thread writes to wake another out of `poll`. */
export function openWake(): number {
  return check("eventfd", () => libc.eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
}

export function wake(fd: number): void {
  check("write eventfd", () => libc.write(fd, one, 8));
}

/** Takes back every `wake` so far. */
export function clearWake(fd: number): void {
  check("read eventfd", () => libc.read(fd, new BigUint64Array(1), 8));
}

export function closeWake(fd: number): void {
  libc.close(fd);
}
