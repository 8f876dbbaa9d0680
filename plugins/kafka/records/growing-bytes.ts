import { RecordError } from "./byte-reader.js";

/** What a decompressor has written so far. It grows with that, up to a limit; beyond it throws {@link RecordError}. */
export class GrowingBytes {
  private readonly limit: number;
  private bytes: Buffer;
  private used = 0;

  constructor(limit: number, expected: number) {
    this.limit = limit;
    this.bytes = Buffer.allocUnsafe(Math.min(limit, Math.max(1_024, expected)));
  }

  get length(): number {
    return this.used;
  }

  append(source: Buffer, from: number, to: number): void {
    const at = this.room(to - from);
    source.copy(this.bytes, at, from, to);
  }

  /** Repeats `length` bytes that begin `distance` before the end; those may be some that this very call writes. */
  repeat(distance: number, length: number): void {
    if (distance < 1 || distance > this.used) throw new RecordError("a repetition of what is before the beginning");
    const at = this.room(length);
    for (let done = 0; done < length; ) {
      // What was copied doubles the piece that can be copied next.
      const piece = Math.min(distance + done, length - done);
      this.bytes.copyWithin(at + done, at - distance, at - distance + piece);
      done += piece;
    }
  }

  written(): Buffer {
    return this.bytes.subarray(0, this.used);
  }

  private room(length: number): number {
    const at = this.used;
    const end = at + length;
    if (end > this.limit) throw new RecordError(`it has more than ${this.limit} bytes when decompressed`);
    if (end > this.bytes.length) {
      const larger = Buffer.allocUnsafe(Math.min(this.limit, Math.max(end, 2 * this.bytes.length)));
      this.bytes.copy(larger, 0, 0, at);
      this.bytes = larger;
    }
    this.used = end;
    return at;
  }
}
