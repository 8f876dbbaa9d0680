import { SouthboundError } from "#core/errors.js";

const initialBytes = 4096;

/** Rounds up to the 4 bytes that netlink aligns messages and attributes to. */
export function align(length: number): number {
  return (length + 3) & ~3;
}

/**
 * One growing buffer that messages are written to, in host byte order (little-endian). What is skipped over is zero.
 */
export class Writer {
  private buffer: ArrayBuffer;
  private capacity: number;
  bytes: Uint8Array;
  view: DataView;
  length = 0;

  constructor(capacity = initialBytes) {
    this.capacity = capacity;
    this.buffer = new ArrayBuffer(capacity);
    this.bytes = new Uint8Array(this.buffer);
    this.view = new DataView(this.buffer);
  }

  /** Makes `length` zero bytes at the end, and returns where they start. */
  reserve(length: number): number {
    const start = this.length;
    const needed = start + length;
    if (needed > this.capacity) this.grow(needed);
    this.length = needed;
    return start;
  }

  /**
   * Writes bytes at the end. Whoever writes numbers reserves first and looks at `view` after that: growing replaces both `view`
   * and `bytes`.
   */
  append(bytes: Uint8Array): void {
    const start = this.reserve(bytes.length);
    this.bytes.set(bytes, start);
  }

  /** Zero bytes up to the next multiple of 4. */
  pad(): void {
    this.reserve(align(this.length) - this.length);
  }

  /** Forgets what was written from `length` on. */
  truncate(length: number): void {
    this.bytes.fill(0, length, this.length);
    this.length = length;
  }

  /** Hands over what was written, without a copy, and starts again with an empty buffer. */
  take(): Uint8Array<ArrayBuffer> {
    const taken = new Uint8Array(this.buffer, 0, this.length);
    this.buffer = new ArrayBuffer(this.capacity);
    this.bytes = new Uint8Array(this.buffer);
    this.view = new DataView(this.buffer);
    this.length = 0;
    return taken;
  }

  private grow(needed: number): void {
    while (this.capacity < needed) this.capacity *= 2;
    const old = this.bytes;
    this.buffer = new ArrayBuffer(this.capacity);
    this.bytes = new Uint8Array(this.buffer);
    this.bytes.set(old);
    this.view = new DataView(this.buffer);
  }
}

/** A view of received bytes. Offsets are the caller's business; nothing is copied but what is kept. */
export class Reader {
  readonly view: DataView;

  constructor(readonly bytes: Uint8Array) {
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }
}

/**
 * What every decoder says of a message that ends inside its fixed header. The kernel never sends one; bytes that were damaged on the
 * way are no reason to believe that a link or a route is gone, and so are no `undefined` either.
 */
export function requireHeader(title: string, start: number, end: number, headerBytes: number): void {
  if (end - start >= headerBytes) return;
  throw new SouthboundError(
    "MALFORMED_MESSAGE",
    `the kernel's message about a ${title} has ${Math.max(0, end - start)} bytes; its header alone has ${headerBytes}`,
  );
}
