import { InvalidInputError } from "#core/errors.js";
import { AF_INET, AF_INET6 } from "./constants.js";
import { formatIp, parseIp } from "./ip.js";

/** The last prefix parsed: address bytes and what the numbers say. Parsing one reuses it. */
export interface Prefix {
  /** AF_INET or AF_INET6. */
  readonly family: number;
  /** 4 or 16. */
  readonly bytes: number;
  readonly length: number;
  /** The address as text, without the length. */
  readonly address: string;
}

const scratch = new Uint8Array(16);

/** Splits `10.0.0.0/16`. Throws `InvalidInputError` when it is not an address with a fitting prefix length. */
export function parsePrefix(text: string, field: string): Prefix {
  const slash = text.indexOf("/");
  const address = slash < 0 ? text : text.slice(0, slash);
  const bytes = parseIp(address, scratch, 0);
  const digits = slash < 0 ? "" : text.slice(slash + 1);
  const length = digits.length <= 3 ? Number(digits) : Number.NaN;
  if (bytes === 0 || digits === "" || !Number.isInteger(length) || length < 0 || length > bytes * 8) {
    throw new InvalidInputError("INVALID_VALUE", `${field}: expected an address with a prefix length, got "${text}"`, {
      field,
    });
  }
  return { family: bytes === 4 ? AF_INET : AF_INET6, bytes, length, address };
}

/** AF_INET or AF_INET6 of an address without a length. */
export function familyOf(address: string, field: string): number {
  const bytes = parseIp(address, scratch, 0);
  if (bytes === 0) {
    throw new InvalidInputError("INVALID_VALUE", `${field}: expected an IP address, got "${address}"`, { field });
  }
  return bytes === 4 ? AF_INET : AF_INET6;
}

/** Bytes of an address of a family; 0 for a family that has no IP addresses. */
export function addressBytes(family: number): number {
  if (family === AF_INET) return 4;
  return family === AF_INET6 ? 16 : 0;
}

/** `0.0.0.0` or `::`. */
export function anyAddress(family: number): string {
  return formatIp(new Uint8Array(16), 0, addressBytes(family) || 16);
}
