import { crc32 } from "node:zlib";

/**
 * A record is eight hexadecimal digits of CRC-32 and the JSON they protect. LevelDB has checksums of its own, but it
 * drops what fails them without an error, and does not check blocks on ordinary reads; these tell.
 */
export interface EncodedRecord {
  readonly text: string;
  readonly checksum: number;
}

const CHECKSUM_DIGITS = 8;

export function encodeRecord(key: string, value: unknown): EncodedRecord {
  const json = JSON.stringify(value);
  const checksum = checksumOf(key, json);
  return { text: checksum.toString(16).padStart(CHECKSUM_DIGITS, "0") + json, checksum };
}

/** `undefined` when the record is damaged. */
export function decodeRecord(
  key: string,
  text: string,
): { readonly value: unknown; readonly checksum: number } | undefined {
  const json = text.slice(CHECKSUM_DIGITS);
  const checksum = checksumOf(key, json);
  if (Number.parseInt(text.slice(0, CHECKSUM_DIGITS), 16) !== checksum) return undefined;
  return { value: JSON.parse(json), checksum };
}

/** The key is part of it, so that a value under the wrong key is noticed as well. */
function checksumOf(key: string, json: string): number {
  return crc32(`${key}\0${json}`);
}

/**
 * A checksum of a set of records that can be brought up to date record by record: the sum of theirs. It tells that a
 * whole record is missing or old, which no checksum of a single record can.
 */
export class SetDigest {
  private readonly checksums = new Map<string, number>();
  private sum = 0;

  get size(): number {
    return this.checksums.size;
  }

  get value(): number {
    return this.sum;
  }

  /** `undefined` takes the record out. Returns the checksum that it had. */
  set(key: string, checksum: number | undefined): number | undefined {
    const old = this.checksums.get(key);
    if (old !== undefined) this.sum = (this.sum - old) >>> 0;
    if (checksum === undefined) {
      this.checksums.delete(key);
    } else {
      this.checksums.set(key, checksum);
      this.sum = (this.sum + checksum) >>> 0;
    }
    return old;
  }
}
