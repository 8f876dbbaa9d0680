import { FieldError, shown } from "./field-error.js";

/**
 * A scalar as it is in canonical values: 64-bit integers are decimal strings, bytes base64, NaN and the infinities
 * strings.
 */
export type ScalarValue = string | number | boolean;

/** How one protobuf scalar type is read and written. */
export interface Scalar {
  readonly default: ScalarValue;
  /** Reads JSON. Throws {@link FieldError}. */
  fromJson(input: unknown): ScalarValue;
  /** From what the protobuf reader returns, and to what its writer takes. */
  fromWire(value: unknown): ScalarValue;
  toWire(value: unknown): unknown;
}

const INTEGER = /^-?\d+$/;
const BASE64 = /^[A-Za-z0-9+/_-]*={0,2}$/;
const LONE_SURROGATE = /\p{Surrogate}/u;
const SPECIAL_NUMBERS = new Set(["NaN", "Infinity", "-Infinity"]);

function wrongType(expected: string, input: unknown): FieldError {
  return new FieldError("WRONG_TYPE", `expected ${expected}, got ${shown(input)}`);
}

const same = (value: unknown): ScalarValue => value as ScalarValue;

function stringFromJson(input: unknown): string {
  if (typeof input !== "string") throw wrongType("text", input);
  if (LONE_SURROGATE.test(input)) throw wrongType("text that is Unicode", input);
  return input;
}

const string: Scalar = { default: "", fromJson: stringFromJson, fromWire: same, toWire: same };

const bool: Scalar = {
  default: false,
  fromJson(input) {
    if (typeof input !== "boolean") throw wrongType("true or false", input);
    return input;
  },
  fromWire: same,
  toWire: same,
};

const bytes: Scalar = {
  default: "",
  fromJson(input) {
    if (input instanceof Uint8Array) return Buffer.from(input).toString("base64");
    if (typeof input !== "string" || !BASE64.test(input)) throw wrongType("base64", input);
    return Buffer.from(input, "base64").toString("base64");
  },
  fromWire: (value) => Buffer.from(value as Uint8Array).toString("base64"),
  toWire: (value) => Buffer.from(String(value), "base64"),
};

/** Integers that a JSON number holds. Decimal text is accepted too, as proto3's JSON mapping says. */
function integer(min: number, max: number): Scalar {
  const fromJson = (input: unknown): number => {
    const value = typeof input === "string" && INTEGER.test(input) ? Number(input) : input;
    if (typeof value !== "number" || !Number.isInteger(value)) throw wrongType("a whole number", input);
    if (value < min || value > max)
      throw new FieldError("OUT_OF_RANGE", `expected ${min} to ${max}, got ${shown(input)}`);
    return value === 0 ? 0 : value;
  };
  return { default: 0, fromJson, fromWire: same, toWire: same };
}

function integer64(min: bigint, max: bigint): Scalar {
  const fromJson = (input: unknown): string => {
    const isText = typeof input === "string" && INTEGER.test(input);
    if (!isText && !(typeof input === "number" && Number.isInteger(input))) throw wrongType("a whole number", input);
    if (!isText && !Number.isSafeInteger(input)) {
      throw new FieldError("OUT_OF_RANGE", `${shown(input)} may have lost digits; write it as text, "${shown(input)}"`);
    }
    const value = BigInt(input);
    if (value < min || value > max)
      throw new FieldError("OUT_OF_RANGE", `expected ${min} to ${max}, got ${shown(input)}`);
    return value.toString();
  };
  return { default: "0", fromJson, fromWire: String, toWire: same };
}

function floatingPoint(round: (value: number) => number): Scalar {
  const canonical = (value: number): ScalarValue => {
    const rounded = round(value);
    return Number.isFinite(rounded) ? rounded + 0 : String(rounded);
  };
  return {
    default: 0,
    fromJson(input) {
      if (typeof input === "string" && SPECIAL_NUMBERS.has(input)) return input;
      if (typeof input !== "number") throw wrongType("a number", input);
      return canonical(input);
    },
    fromWire: (value) => canonical(value as number),
    toWire: Number,
  };
}

/** The shortest decimal number that is the same in 32 bits: 0.1 and not 0.10000000149011612. */
function shortest32(value: number): number {
  const exact = Math.fround(value);
  for (let digits = 6; digits < 9; digits++) {
    const short = Number(exact.toPrecision(digits));
    if (Math.fround(short) === exact) return short;
  }
  return Number(exact.toPrecision(9));
}

const int32 = integer(-(2 ** 31), 2 ** 31 - 1);
const uint32 = integer(0, 2 ** 32 - 1);
const int64 = integer64(-(2n ** 63n), 2n ** 63n - 1n);
const uint64 = integer64(0n, 2n ** 64n - 1n);

/** By the name of the type in a .proto file. */
export const SCALARS: Readonly<Record<string, Scalar>> = {
  string,
  bool,
  bytes,
  double: floatingPoint((value) => value),
  float: floatingPoint(shortest32),
  int32,
  sint32: int32,
  sfixed32: int32,
  uint32,
  fixed32: uint32,
  int64,
  sint64: int64,
  sfixed64: int64,
  uint64,
  fixed64: uint64,
};
