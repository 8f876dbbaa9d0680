import type { INamespace } from "protobufjs";
import protobuf from "protobufjs/light.js";
import { BugError } from "../errors.js";
import { SCALARS, type Scalar, type ScalarValue } from "./scalars.js";

const ANY = ".google.protobuf.Any";

/**
 * Messages of this package are the agent's own protocol. They are written in full, so that whoever reads a result finds
 * every field; all others leave out what has the default value.
 */
const WRITTEN_IN_FULL = ".tenuto.v1.";

/** An enum, with its values by name (aliases too) and the one name to write for each number. */
export interface EnumTable {
  readonly numbers: ReadonlyMap<string, number>;
  readonly names: ReadonlyMap<number, string>;
}

export type FieldType =
  | { readonly kind: "scalar"; readonly scalar: Scalar }
  | { readonly kind: "enum"; readonly enumeration: EnumTable }
  | { readonly kind: "message"; readonly message: MessageTable }
  | { readonly kind: "any" };

export interface FieldTable {
  /** As in the .proto file. */
  readonly name: string;
  /** Place in the canonical order: that of the field numbers. */
  readonly position: number;
  readonly type: FieldType;
  readonly shape: "single" | "list" | "map";
  /** Of the keys of a map. */
  readonly mapKey: Scalar | undefined;
  /** "Not there" differs from the default value, which is therefore kept. */
  readonly presence: boolean;
  /** The oneof it belongs to. */
  readonly oneof: string | undefined;
}

export interface MessageTable {
  /** Full name, without leading dot. */
  readonly name: string;
  /** In canonical order. */
  readonly fields: readonly FieldTable[];
  /** By both spellings, `peer_if_name` and `peerIfName`. */
  readonly byName: ReadonlyMap<string, FieldTable>;
  /** By number in the .proto file. */
  readonly byNumber: ReadonlyMap<number, FieldTable>;
  readonly writtenInFull: boolean;
  /** Encodes and decodes bytes. */
  readonly codec: protobuf.Type;
}

/** What an enum says when nothing was said. */
export function enumDefault(enumeration: EnumTable): string {
  return enumeration.names.get(0) ?? "";
}

/** The value of a single field without presence when it is not there. */
export function defaultOf(type: FieldType): ScalarValue | undefined {
  if (type.kind === "scalar") return type.scalar.default;
  return type.kind === "enum" ? enumDefault(type.enumeration) : undefined;
}

/** Keys that are text in JavaScript objects and in the reader of protobufjs alike. */
const MAP_KEYS = new Set(["string", "int32", "sint32", "sfixed32", "uint32", "fixed32"]);

function mapKeyOf(field: protobuf.MapField): Scalar {
  const scalar = SCALARS[field.keyType];
  if (scalar && MAP_KEYS.has(field.keyType)) return scalar;
  throw new BugError(
    "BAD_DESCRIPTOR",
    `${field.fullName.slice(1)}: maps with keys of type ${field.keyType} are not supported`,
  );
}

/**
 * The messages of a descriptor (what `Root#toJSON` of protobufjs returns, option `keepCase`), as tables that the codecs
 * walk. A table is made when it is first asked for, and never changes, so that all agents of a process may share a
 * schema.
 */
export class Schema {
  private readonly root: protobuf.Root;
  private readonly messages = new Map<protobuf.Type, MessageTable>();
  private readonly enums = new Map<protobuf.Enum, EnumTable>();
  private readonly byName = new Map<string, MessageTable | undefined>();

  constructor(descriptor: INamespace) {
    this.root = protobuf.Root.fromJSON(descriptor);
    this.root.resolveAll();
  }

  /** By full name. */
  message(name: string): MessageTable | undefined {
    if (!this.byName.has(name)) {
      const found = this.root.lookup(name, protobuf.Type, true);
      this.byName.set(name, found instanceof protobuf.Type ? this.table(found) : undefined);
    }
    return this.byName.get(name);
  }

  private table(type: protobuf.Type): MessageTable {
    const known = this.messages.get(type);
    if (known) return known;
    const fields: FieldTable[] = [];
    const byName = new Map<string, FieldTable>();
    const byNumber = new Map<number, FieldTable>();
    const table = {
      name: type.fullName.slice(1),
      fields,
      byName,
      byNumber,
      writtenInFull: type.fullName.startsWith(WRITTEN_IN_FULL),
      codec: type,
    };
    // Before its fields: a message may contain itself.
    this.messages.set(type, table);
    for (const [position, field] of [...type.fieldsArray].sort((a, b) => a.id - b.id).entries()) {
      const entry = this.field(field, position);
      fields.push(entry);
      byNumber.set(field.id, entry);
      byName.set(entry.name, entry);
      byName.set(field.jsonName, entry);
    }
    return table;
  }

  private field(field: protobuf.Field, position: number): FieldTable {
    const type = this.fieldType(field);
    const mapKey = field instanceof protobuf.MapField ? mapKeyOf(field) : undefined;
    const shape = mapKey ? "map" : field.repeated ? "list" : "single";
    const oneof = field.partOf?.isProto3Optional ? undefined : field.partOf?.name;
    return {
      name: field.name,
      position,
      type,
      shape,
      mapKey,
      presence: shape === "single" && (field.partOf != null || type.kind === "message" || type.kind === "any"),
      oneof,
    };
  }

  private fieldType(field: protobuf.Field): FieldType {
    const { resolvedType } = field.resolve();
    if (resolvedType instanceof protobuf.Enum) return { kind: "enum", enumeration: this.enum(resolvedType) };
    if (resolvedType instanceof protobuf.Type) {
      if (resolvedType.fullName === ANY) return { kind: "any" };
      return { kind: "message", message: this.table(resolvedType) };
    }
    const scalar = SCALARS[field.type];
    if (!scalar) throw new BugError("BAD_DESCRIPTOR", `${field.fullName.slice(1)} has the unknown type ${field.type}`);
    return { kind: "scalar", scalar };
  }

  private enum(type: protobuf.Enum): EnumTable {
    const known = this.enums.get(type);
    if (known) return known;
    const numbers = new Map(Object.entries(type.values));
    const names = new Map<number, string>();
    for (const [name, number] of numbers) if (!names.has(number)) names.set(number, name);
    const table = { numbers, names };
    this.enums.set(type, table);
    return table;
  }
}
