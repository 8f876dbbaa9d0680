import { InvalidInputError } from "#core/errors.js";
import type { Codec } from "./attributes.js";
import { formatIp, parseIp } from "./ip.js";

function invalid(value: unknown, expected: string): InvalidInputError {
  return new InvalidInputError("INVALID_VALUE", `expected ${expected}, got ${JSON.stringify(value) ?? String(value)}`);
}

function integer(bytes: 1 | 2 | 4, minimum: number, maximum: number, littleEndian: boolean): Codec<number> {
  const expected = `an integer from ${minimum} to ${maximum}`;
  const signed = minimum < 0;
  return {
    write(writer, value) {
      if (!Number.isInteger(value) || value < minimum || value > maximum) throw invalid(value, expected);
      const at = writer.reserve(bytes);
      if (bytes === 1) writer.view.setUint8(at, value);
      else if (bytes === 2) writer.view.setUint16(at, value, littleEndian);
      else writer.view.setUint32(at, value, littleEndian);
    },
    read(reader, offset, length) {
      if (length !== bytes) return undefined;
      if (bytes === 1) return reader.view.getUint8(offset);
      if (bytes === 2) return reader.view.getUint16(offset, littleEndian);
      return signed ? reader.view.getInt32(offset, littleEndian) : reader.view.getUint32(offset, littleEndian);
    },
  };
}

export const u8 = integer(1, 0, 0xff, true);
export const u16 = integer(2, 0, 0xffff, true);
export const u32 = integer(4, 0, 0xffffffff, true);
export const s32 = integer(4, -0x80000000, 0x7fffffff, true);
/** Network byte order: ports, EtherTypes. */
export const be16 = integer(2, 0, 0xffff, false);
export const be32 = integer(4, 0, 0xffffffff, false);

export const u64: Codec<bigint> = {
  write(writer, value) {
    if (typeof value !== "bigint" || value < 0n || value > 0xffffffffffffffffn) {
      throw invalid(typeof value === "bigint" ? value.toString() : value, "a bigint from 0 to 2^64-1");
    }
    const at = writer.reserve(8);
    writer.view.setBigUint64(at, value, true);
  },
  read: (reader, offset, length) => (length === 8 ? reader.view.getBigUint64(offset, true) : undefined),
};

/** A byte that is 0 or 1. */
export const boolean8: Codec<boolean> = {
  write(writer, value) {
    if (typeof value !== "boolean") throw invalid(value, "true or false");
    const at = writer.reserve(1);
    writer.view.setUint8(at, value ? 1 : 0);
  },
  read: (reader, offset, length) => (length === 1 ? reader.view.getUint8(offset) !== 0 : undefined),
};

/** There or not there. `false` cannot be said: leave it out. */
export const flag: Codec<boolean> = {
  write(_writer, value) {
    if (value !== true) throw invalid(value, "true, or nothing");
  },
  read: () => true,
};

const encoder = new TextEncoder();
const decoder = new TextDecoder();

function decodeUtf8(bytes: Uint8Array, offset: number, length: number): string {
  const end = bytes.indexOf(0, offset);
  return decoder.decode(bytes.subarray(offset, end < 0 ? offset + length : Math.min(end, offset + length)));
}

/** Text that ends with a zero byte. */
export const string: Codec<string> = {
  write(writer, value) {
    if (typeof value !== "string" || value.includes("\0")) throw invalid(value, "text without zero bytes");
    const bytes = encoder.encode(value);
    const at = writer.reserve(bytes.length + 1);
    writer.bytes.set(bytes, at);
  },
  read({ bytes }, offset, length) {
    let text = "";
    for (let at = offset; at < offset + length; at++) {
      const byte = bytes[at] ?? 0;
      if (byte === 0) break;
      // Nearly every name is ASCII and short, and a decoder's call costs ten times as much.
      if (byte > 0x7f) return decodeUtf8(bytes, offset, length);
      text += String.fromCharCode(byte);
    }
    return text;
  },
};

/** IPv4 or IPv6, told by its text or its length. */
export const ip: Codec<string> = {
  write(writer, value) {
    const at = writer.reserve(16);
    const length = typeof value === "string" ? parseIp(value, writer.bytes, at) : 0;
    writer.truncate(at + length);
    if (length === 0) throw invalid(value, "an IPv4 or IPv6 address");
  },
  read(reader, offset, length) {
    return length === 4 || length === 16 ? formatIp(reader.bytes, offset, length) : undefined;
  },
};

export function ipOf(family: 4 | 6): Codec<string> {
  const bytes = family === 4 ? 4 : 16;
  return {
    write(writer, value) {
      const start = writer.length;
      ip.write(writer, value);
      if (writer.length - start !== bytes) throw invalid(value, `an IPv${family} address`);
    },
    read: (reader, offset, length) => (length === bytes ? formatIp(reader.bytes, offset, length) : undefined),
  };
}

const hexByte: readonly string[] = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, "0"));
const hexPairs = /^[0-9a-f]{2}([:-][0-9a-f]{2})*$/i;

/** A hardware address of any length: `02:00:00:00:00:01`. */
export const linkAddress: Codec<string> = {
  write(writer, value) {
    if (typeof value !== "string" || !hexPairs.test(value)) throw invalid(value, "a hardware address");
    const count = (value.length + 1) / 3;
    const at = writer.reserve(count);
    for (let i = 0; i < count; i++) writer.view.setUint8(at + i, Number.parseInt(value.slice(3 * i, 3 * i + 2), 16));
  },
  read(reader, offset, length) {
    let text = "";
    for (let i = 0; i < length; i++) text += `${i === 0 ? "" : ":"}${hexByte[reader.bytes[offset + i] ?? 0]}`;
    return text;
  },
};

/** `struct { u32 flags, mask }`: the bits in `mask` are set to those of `flags`. */
export const flagsAndMask: Codec<{ readonly flags: number; readonly mask: number }> = {
  write(writer, value) {
    u32.write(writer, value.flags);
    u32.write(writer, value.mask);
  },
  read(reader, offset, length) {
    if (length !== 8) return undefined;
    return { flags: reader.view.getUint32(offset, true), mask: reader.view.getUint32(offset + 4, true) };
  },
};

/** `struct { __be16 low, high }`. */
export const portRange: Codec<{ readonly low: number; readonly high: number }> = {
  write(writer, value) {
    be16.write(writer, value.low);
    be16.write(writer, value.high);
  },
  read(reader, offset, length) {
    if (length !== 4) return undefined;
    return { low: reader.view.getUint16(offset), high: reader.view.getUint16(offset + 2) };
  },
};

/** `struct ifla_vlan_qos_mapping { u32 from, to }`: a priority, and the one it becomes. */
export const qosMapping: Codec<{ readonly from: number; readonly to: number }> = {
  write(writer, value) {
    u32.write(writer, value.from);
    u32.write(writer, value.to);
  },
  read(reader, offset, length) {
    if (length !== 8) return undefined;
    return { from: reader.view.getUint32(offset, true), to: reader.view.getUint32(offset + 4, true) };
  },
};
