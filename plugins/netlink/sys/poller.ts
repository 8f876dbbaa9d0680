import { EINTR, EINVAL, SystemCallError } from "./errno.js";
import { lastErrno, libc } from "./libc.js";

export const POLLIN = 1;
export const POLLPRI = 2;

/** How long is waited for the first descriptor alone before the others are looked at again, ms. */
const ROUND = 50;

/** `poll(2)` over a set of descriptors, each with a function to call when it is ready. */
export class Poller {
  private readonly watched = new Map<number, { readonly events: number; readonly ready: () => void }>();
  /** struct pollfd: int fd, short events, short revents. */
  private fds = new Int32Array(0);
  private stale = true;

  add(fd: number, events: number, ready: () => void): void {
    this.watched.set(fd, { events, ready });
    this.stale = true;
  }

  remove(fd: number): void {
    this.watched.delete(fd);
    this.stale = true;
  }

  /** Waits up to `timeout` milliseconds (-1: for ever, 0: not at all) and calls what is ready. */
  poll(timeout: number): void {
    if (this.stale) this.rebuild();
    const fds = this.fds;
    const ready = libc.poll(fds, fds.length / 2, timeout);
    if (ready < 0) {
      const errno = lastErrno();
      if (errno === EINTR) return;
      // More descriptors than the process may have: its limit was lowered while they were open.
      if (errno !== EINVAL || fds.length <= 2) throw new SystemCallError("poll", errno);
      this.pollEach(timeout);
      return;
    }
    for (let i = 0, left = ready; left > 0 && i < fds.length; i += 2) {
      if (((fds[i + 1] ?? 0) & 0xffff0000) === 0) continue;
      left--;
      this.watched.get(fds[i] ?? -1)?.ready();
    }
  }

  /** Calls what is ready, one by one; when nothing is it waits for the first, which is what wakes this thread. */
  private pollEach(timeout: number): void {
    let isAnyReady = false;
    for (const [fd, { events, ready }] of [...this.watched]) {
      if (!isReady(fd, events, 0)) continue;
      isAnyReady = true;
      ready();
    }
    const [first] = this.watched;
    if (isAnyReady || timeout === 0 || first === undefined) return;
    const [fd, { events, ready }] = first;
    if (isReady(fd, events, timeout < 0 ? ROUND : Math.min(timeout, ROUND))) ready();
  }

  private rebuild(): void {
    this.fds = new Int32Array(this.watched.size * 2);
    let i = 0;
    for (const [fd, { events }] of this.watched) {
      this.fds[i++] = fd;
      this.fds[i++] = events;
    }
    this.stale = false;
  }
}

function isReady(fd: number, events: number, timeout: number): boolean {
  return libc.poll(Int32Array.of(fd, events), 1, timeout) > 0;
}
