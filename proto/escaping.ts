/**
 * Names inside NATS subjects and key-value keys. The broker allows `[-/_=.a-zA-Z0-9]` in a key and treats `.`, `*`, `>` and
 * blanks specially in a subject, so every byte (UTF-8) outside `[A-Za-z0-9_/-]` is written `=HH`, upper case.
 */

const HEX = "0123456789ABCDEF";

const utf8 = new TextEncoder();
const strictUtf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

function byteSet(characters: string): ReadonlySet<number> {
  return new Set(utf8.encode(characters));
}

const TOKEN_BYTES = byteSet("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-");
const KEY_BYTES = new Set([...TOKEN_BYTES, ...byteSet("/")]);

function escapeBytes(text: string, plain: ReadonlySet<number>): string {
  let escaped = "";
  for (const byte of utf8.encode(text)) {
    escaped += plain.has(byte) ? String.fromCharCode(byte) : `=${HEX.charAt(byte >> 4)}${HEX.charAt(byte & 15)}`;
  }
  return escaped;
}

/** A model key as the last part of a key-value key: `config/linux/l3/v2/route/10=2E1=2E0=2E0/16/veth1`. */
export function escapeKey(key: string): string {
  return escapeBytes(key, KEY_BYTES);
}

/** A name as one token of a subject: as {@link escapeKey}, and `/` is escaped too. */
export function escapeToken(name: string): string {
  return escapeBytes(name, TOKEN_BYTES);
}

/**
 * The text that was escaped. A plain `.` stands for itself, because keys are also written by hand; lower-case digits are
 * understood. `undefined` when an `=` is not followed by two hexadecimal digits, or the bytes are not UTF-8.
 */
export function unescapeKey(escaped: string): string | undefined {
  if (/=(?![0-9A-Fa-f]{2})/.test(escaped)) return undefined;
  const bytes: number[] = [];
  for (const [, hex, plain] of escaped.matchAll(/=([0-9A-Fa-f]{2})|([^=]+)/g)) {
    if (hex !== undefined) bytes.push(Number.parseInt(hex, 16));
    else if (plain !== undefined) bytes.push(...utf8.encode(plain));
  }
  try {
    return strictUtf8.decode(Uint8Array.from(bytes));
  } catch (error) {
    if (error instanceof TypeError) return undefined;
    throw error;
  }
}
