import type { INamespace } from "protobufjs";
import type { Model } from "#proto/models.js";
import { token } from "../plugin/token.js";

/**
 * Ties a protobuf message to the keys of its values. What the parts promise is said at {@link Model}, which clients
 * share.
 */
export interface ModelSpec<V extends object> extends Model<V> {
  /**
   * Where the message is defined, when it is not one of Tenuto's own: what `Root#toJSON` of protobufjs returns for
   * .proto files parsed with `keepCase`.
   */
  readonly descriptor?: INamespace;
}

export interface DecodedValue {
  /** The shorter key that it came under, when {@link key} says more. */
  readonly shortKey?: string;
  /** The key as the agent uses it: label prefix stripped, first-generation keys translated. */
  readonly key: string;
  /** Canonical form: `snake_case`, enums by name, defaults left out, 64-bit integers as strings. */
  readonly value: object;
}

export type Encoding = "json" | "protobuf";

export const CONTENT_TYPE = { json: "application/json", protobuf: "application/x-protobuf" } as const;

/** What is known of a payload that may be large. */
export interface LargePayload {
  readonly contentType?: string | undefined;
  /** Most entries of a list of JSON that is in no other list. */
  readonly maxEntries?: number | undefined;
}

/**
 * Every message the agent understands, by key. Decoding is strict: an unknown field, a wrong type, an enum name that
 * does not exist, two fields of a oneof, or a value whose own name is missing or contradicts its key each throw
 * `InvalidInputError` with key and field.
 *
 * A value under a first-generation key may leave its name out; it gets the one in the key. Anywhere else a value must
 * say its name, so that one that was sent to a wrong key does not silently become another interface.
 */
export interface ModelRegistry {
  /** Throws `BugError` when the name, a prefix or the message does not fit. */
  register<V extends object>(spec: ModelSpec<V>): void;
  /** All registered models, in order of registration. */
  models(): readonly ModelSpec<object>[];
  forKey(key: string): ModelSpec<object> | undefined;
  /**
   * The key as the agent uses it: a leading `/vnf-agent/<our label>/` stripped, first-generation keys translated.
   * Throws `UNKNOWN_KEY` when no model has it, `FOREIGN_LABEL` when it is another agent's.
   */
  normaliseKey(key: string): string;
  /**
   * Is `short` another key of the value under `key`, which says less of what the value is? Both are normalised. A value that comes
   * under a short key is kept under the full one.
   */
  isShortFor(short: string, key: string): boolean;
  /** Under one short key first `before` came and then `key`: is the second value what became of the first, and no other one? */
  isChangeOf(key: string, before: string): boolean;
  /** The same of the beginning of keys, which need not be that of a known model. Throws `FOREIGN_LABEL`. */
  normalisePrefix(prefix: string): string;
  /**
   * Decodes one value of a key. `value` is parsed JSON, or bytes that are told apart by `contentType` or by looking.
   */
  decode(key: string, value: object | Uint8Array, contentType?: string): DecodedValue;
  /** The value's bytes in the given encoding. */
  encode(key: string, value: object, encoding: Encoding): Uint8Array;
  /** The key of a value of the given model. */
  keyOf(model: string, value: object): string;

  /**
   * For messages that have no key (transactions, results, notifications), by full protobuf name. Those of the package
   * `tenuto.v1` are written in full, so every field is there once decoded. The `value` beside a `key` (of a change, for
   * example) is the key's message: from JSON as it came, from protobuf canonical; {@link decode} takes both.
   */
  decodeMessage<T extends object>(message: string, payload: Uint8Array | object, contentType?: string): T;
  /**
   * {@link decodeMessage} for bytes that may be many: they are decoded some entries of a list at a time, and others run in between.
   * What has too many parts or is nested too deeply is refused before anything is built, here and by every other method.
   */
  decodeInSlices<T extends object>(message: string, payload: Uint8Array, how?: LargePayload): Promise<T>;
  encodeMessage(message: string, value: object, encoding: Encoding): Uint8Array;
}

export const ModelRegistry = token<ModelRegistry>("ModelRegistry");
