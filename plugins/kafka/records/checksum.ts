/** Reversed polynomials: Castagnoli's of record batches (RFC 3720), and that of Ethernet for the message sets before them. */
const CASTAGNOLI = 0x82f63b78;
const ETHERNET = 0xedb88320;

/** For eight bytes at a time: entry `n` of table `k` is the checksum of byte `n` with `k` zero bytes behind it. */
function tablesOf(polynomial: number): readonly Uint32Array[] {
  const first = Uint32Array.from({ length: 256 }, (_, byte) => {
    let value = byte;
    for (let bit = 0; bit < 8; bit += 1) value = (value >>> 1) ^ (value & 1 ? polynomial : 0);
    return value;
  });
  const tables = [first];
  for (let index = 1; index < 4; index += 1) {
    const before = tables[index - 1] ?? first;
    tables.push(before.map((value) => (value >>> 8) ^ (first[value & 0xff] ?? 0)));
  }
  return tables;
}

function checksumBy(polynomial: number): (bytes: Uint8Array) => number {
  let tables: readonly Uint32Array[] | undefined;
  return (bytes) => {
    tables ??= tablesOf(polynomial);
    return checksum(tables, bytes);
  };
}

function checksum([a, b, c, d]: readonly Uint32Array[], bytes: Uint8Array): number {
  if (a === undefined || b === undefined || c === undefined || d === undefined) return 0;
  let value = 0xffffffff;
  let at = 0;
  for (const end = bytes.length - 3; at < end; at += 4) {
    value ^= byteAt(bytes, at) | (byteAt(bytes, at + 1) << 8) | (byteAt(bytes, at + 2) << 16);
    value ^= byteAt(bytes, at + 3) << 24;
    value =
      byteAt(d, value & 0xff) ^
      byteAt(c, (value >>> 8) & 0xff) ^
      byteAt(b, (value >>> 16) & 0xff) ^
      byteAt(a, value >>> 24);
  }
  for (; at < bytes.length; at += 1) value = (value >>> 8) ^ byteAt(a, (value ^ byteAt(bytes, at)) & 0xff);
  return ~value >>> 0;
}

function byteAt(bytes: Uint8Array | Uint32Array, at: number): number {
  return bytes[at] ?? 0;
}

/** CRC-32C. */
export const crc32c = checksumBy(CASTAGNOLI);
/** CRC-32 as of zip and Ethernet. */
export const crc32 = checksumBy(ETHERNET);
