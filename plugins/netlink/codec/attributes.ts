import { InvalidInputError } from "#core/errors.js";
import { align, type Reader, type Writer } from "./buffer.js";
import { NLA_F_NESTED, NLA_TYPE_MASK } from "./constants.js";

/**
 * How the payload of one attribute is written and read. `write` throws `InvalidInputError` for a value it cannot take.
 */
export interface Codec<T> {
  /** Set for attributes that hold attributes. */
  readonly nested?: boolean;
  write(writer: Writer, value: T): void;
  /** `undefined` when the kernel sent a length that this type cannot have. */
  read(reader: Reader, offset: number, length: number): T | undefined;
}

/** Name of each attribute in this client, its number in the kernel, and its type. */
export type AttributeSpec = Readonly<Record<string, readonly [number: number, codec: Codec<unknown>]>>;

/** Values by attribute name. */
export type ValuesOf<S extends AttributeSpec> = {
  -readonly [K in keyof S]?: (S[K] extends readonly [number, Codec<infer T>] ? T : never) | undefined;
};

/** The values that a table encodes and decodes. */
export type TableValues<T> = T extends AttributeTable<infer S> ? ValuesOf<S> : never;

export type Unknown = ReadonlyMap<number, Uint8Array>;

interface Entry {
  readonly name: string;
  readonly number: number;
  readonly codec: Codec<unknown>;
}

/**
 * The attributes of one kind of object: encodes and decodes from the same rows. Attributes that no row knows are kept
 * by number (with their flag bits, so that they go back as they came); those in `ignored` are known and not worth a
 * copy.
 */
export class AttributeTable<S extends AttributeSpec> {
  private readonly entries: readonly Entry[];
  private readonly byNumber: readonly (Entry | undefined)[];
  private readonly byName: ReadonlyMap<string, Entry>;
  private readonly ignored: ReadonlySet<number>;

  constructor(
    readonly title: string,
    readonly spec: S,
    ignored: readonly number[] = [],
  ) {
    this.entries = Object.entries(spec).map(([name, [number, codec]]) => ({ name, number, codec }));
    const byNumber: (Entry | undefined)[] = [];
    for (const entry of this.entries) byNumber[entry.number] = entry;
    this.byNumber = Array.from(byNumber);
    this.byName = new Map(this.entries.map((entry) => [entry.name, entry]));
    this.ignored = new Set(ignored);
  }

  /** The name of an attribute by the kernel's number, flag bits allowed. */
  nameOf(number: number): string {
    return this.byNumber[number & NLA_TYPE_MASK]?.name ?? String(number & NLA_TYPE_MASK);
  }

  encode(writer: Writer, values: ValuesOf<S>, unknown?: Unknown): void {
    const record: Readonly<Record<string, unknown>> = values;
    for (const entry of this.entries) {
      const value = record[entry.name];
      if (value !== undefined) writeAttribute(writer, entry.number, entry.codec, value);
    }
    if (unknown) for (const [number, bytes] of unknown) writeAttribute(writer, number, raw, bytes);
  }

  /** As `encode`, for values from outside: a name or a type that does not fit is `INVALID_VALUE`. */
  encodeChecked(writer: Writer, values: Readonly<Record<string, unknown>>): void {
    for (const [name, value] of Object.entries(values)) {
      if (value === undefined) continue;
      const entry = this.byName.get(name);
      if (!entry) {
        throw new InvalidInputError("INVALID_VALUE", `${this.title} has no attribute "${name}"`, { field: name });
      }
      try {
        writeAttribute(writer, entry.number, entry.codec, value);
      } catch (error) {
        if (!(error instanceof InvalidInputError)) throw error;
        throw new InvalidInputError("INVALID_VALUE", `${this.title}: ${name}: ${error.message}`, { field: name });
      }
    }
  }

  /** Decodes what lies between two offsets. `unknown` receives what no row knows. */
  decode(reader: Reader, from: number, to: number, unknown?: Map<number, Uint8Array>): ValuesOf<S> {
    const values: Record<string, unknown> = {};
    const { view, bytes } = reader;
    // One copy for all unknown attributes: an ArrayBuffer for each costs more than the rest of a link.
    let copy: Uint8Array | undefined;
    for (let offset = from; offset + 4 <= to; ) {
      const length = view.getUint16(offset, true);
      if (length < 4 || offset + length > to) break;
      const type = view.getUint16(offset + 2, true);
      const entry = this.byNumber[type & NLA_TYPE_MASK];
      const value = entry?.codec.read(reader, offset + 4, length - 4);
      if (entry && value !== undefined) values[entry.name] = value;
      else if (unknown && !this.ignored.has(type & NLA_TYPE_MASK)) {
        copy ??= bytes.slice(from, to);
        unknown.set(type, copy.subarray(offset + 4 - from, offset + length - from));
      }
      offset += align(length);
    }
    return values as ValuesOf<S>;
  }
}

export function writeAttribute<T>(writer: Writer, number: number, codec: Codec<T>, value: T): void {
  const start = writer.reserve(4);
  codec.write(writer, value);
  const length = writer.length - start;
  if (length > 0xffff) throw new InvalidInputError("INVALID_VALUE", "longer than a netlink attribute can be");
  writer.view.setUint16(start, length, true);
  writer.view.setUint16(start + 2, codec.nested ? number | NLA_F_NESTED : number, true);
  writer.pad();
}

/** Bytes as they are. */
export const raw: Codec<Uint8Array> = {
  write: (writer, value) => writer.append(value),
  read: (reader, offset, length) => reader.bytes.slice(offset, offset + length),
};

/** Attributes inside an attribute, with a table of their own. */
export function nested<S extends AttributeSpec>(table: AttributeTable<S>): Codec<ValuesOf<S>> {
  return {
    nested: true,
    write: (writer, value) => table.encode(writer, value),
    read: (reader, offset, length) => table.decode(reader, offset, offset + length),
  };
}

/** The same type again and again, each under `number`, or numbered from 0 where the kernel counts them. */
export function list<T>(codec: Codec<T>, number: number | "counted"): Codec<readonly T[]> {
  return {
    nested: true,
    write(writer, values) {
      values.forEach((value, index) => {
        writeAttribute(writer, number === "counted" ? index : number, codec, value);
      });
    },
    read(reader, from, length) {
      const values: T[] = [];
      for (let offset = from; offset + 4 <= from + length; ) {
        const size = reader.view.getUint16(offset, true);
        if (size < 4 || offset + size > from + length) break;
        const value = codec.read(reader, offset + 4, size - 4);
        if (value !== undefined) values.push(value);
        offset += align(size);
      }
      return values;
    },
  };
}
