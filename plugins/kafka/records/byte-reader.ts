import { InvalidInputError } from "#core/errors.js";

/** A piece of a log that cannot be read. The message says what is wrong with it. */
export class RecordError extends InvalidInputError {
  constructor(message: string) {
    super("BAD_RECORD", message);
  }
}

/** Reads numbers and bytes of Kafka's protocol, and nothing behind the end: that throws {@link RecordError}. */
export class ByteReader {
  private readonly buffer: Buffer;
  private offset: number;

  constructor(bytes: Buffer, at = 0) {
    this.buffer = bytes;
    this.offset = at;
  }

  get at(): number {
    return this.offset;
  }

  get remaining(): number {
    return this.buffer.length - this.offset;
  }

  int8(): number {
    return this.buffer.readInt8(this.forward(1));
  }

  int16(): number {
    return this.buffer.readInt16BE(this.forward(2));
  }

  int32(): number {
    return this.buffer.readInt32BE(this.forward(4));
  }

  uint32(): number {
    return this.buffer.readUInt32BE(this.forward(4));
  }

  int64(): bigint {
    return this.buffer.readBigInt64BE(this.forward(8));
  }

  /** Zigzag, of at most 32 bits. */
  varint(): number {
    let value = 0;
    for (let shift = 0; shift < 35; shift += 7) {
      const byte = this.buffer[this.forward(1)] ?? 0;
      value |= (byte & 0x7f) << shift;
      if (byte < 0x80) return (value >>> 1) ^ -(value & 1);
    }
    throw new RecordError("a number of more than 32 bits");
  }

  /** Zigzag, of at most 64 bits. */
  varlong(): bigint {
    let value = 0n;
    for (let shift = 0n; shift < 70n; shift += 7n) {
      const byte = this.buffer[this.forward(1)] ?? 0;
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return BigInt.asIntN(64, (value >> 1n) ^ -(value & 1n));
    }
    throw new RecordError("a number of more than 64 bits");
  }

  /** The next bytes, without copying them. */
  bytes(length: number): Buffer {
    if (length < 0) throw new RecordError(`a length of ${length}`);
    const at = this.forward(length);
    return this.buffer.subarray(at, at + length);
  }

  /** Bytes with their length before them; `null` for a length of -1. */
  nullable(length: number): Buffer | null {
    return length === -1 ? null : this.bytes(length);
  }

  rest(): Buffer {
    return this.bytes(this.remaining);
  }

  /** Everything from an earlier place on. */
  since(at: number): Buffer {
    return this.buffer.subarray(at);
  }

  private forward(length: number): number {
    const at = this.offset;
    if (length > this.buffer.length - at) {
      throw new RecordError(`it ends ${length - (this.buffer.length - at)} bytes too early`);
    }
    this.offset = at + length;
    return at;
  }
}
