import { ModelError } from "#proto/model-error.js";
import type { OlderForm } from "#proto/models.js";
import { BugError, InvalidInputError } from "../errors.js";
import { AnyCodec } from "./any-codec.js";
import { encodeBytes } from "./binary.js";
import { canonicalMessage } from "./canonical.js";
import { FieldError, invalidInput } from "./field-error.js";
import { SLICE_BYTES } from "./json-scan.js";
import { MessageTypes } from "./message-types.js";
import { PayloadReader } from "./reading.js";
import type { MessageTable } from "./schema.js";
import type { DecodedValue, Encoding, LargePayload, ModelRegistry, ModelSpec } from "./types.js";

const AGENT_PREFIX = "/vnf-agent/";
/** Names of links have 15 characters, networks 43: this leaves room for everything that a key says. */
const MAX_KEY_LENGTH = 1024;

/** What the keys with a certain prefix hold. */
interface Place {
  readonly prefix: string;
  readonly spec: ModelSpec<object>;
  readonly message: MessageTable;
  /** The keys and values are in this older form. */
  readonly older: OlderForm<object> | undefined;
}

/** A key, taken apart. */
interface Location {
  readonly place: Place;
  /** As the agent uses it. */
  readonly key: string;
  /** What follows the prefix, as it came and in its one spelling. */
  readonly name: string;
  readonly normalised: string;
}

class Registry implements ModelRegistry {
  private readonly label: string;
  private readonly types = new MessageTypes();
  private readonly any = new AnyCodec(this.types, (key) => this.place(key)?.message.name);
  private readonly reading = new PayloadReader(this.types, this.any);
  private readonly specs = new Map<string, ModelSpec<object>>();
  private readonly places = new Map<string, Place>();
  /** The place that was found last: keys of one kind follow each other. None that another one might be inside of. */
  private lastPlace: Place | undefined;
  /** Lengths of all prefixes, longest first. */
  private prefixLengths: readonly number[] = [];

  constructor(label: string) {
    this.label = label;
  }

  register<V extends object>(spec: ModelSpec<V>): void {
    if (this.specs.has(spec.name))
      throw new BugError("DUPLICATE_MODEL", `the model ${spec.name} is registered already`);
    if (spec.descriptor) this.types.add(spec.descriptor);
    this.addPlace(spec, spec, undefined);
    for (const older of spec.olderForms ?? []) this.addPlace(older, spec, older);
    this.specs.set(spec.name, spec);
    this.prefixLengths = [...new Set([...this.places.keys()].map(({ length }) => length))].sort((a, b) => b - a);
  }

  private addPlace(
    at: { prefix: string; message: string },
    spec: ModelSpec<object>,
    older: OlderForm<object> | undefined,
  ): void {
    const { prefix } = at;
    const message = this.types.find(at.message);
    if (!message) throw new BugError("UNKNOWN_MESSAGE", `model ${spec.name}: there is no message ${at.message}`);
    if (!prefix.endsWith("/"))
      throw new BugError("BAD_PREFIX", `model ${spec.name}: ${prefix} does not end in a slash`);
    const other = this.places.get(prefix)?.spec.name;
    if (other)
      throw new BugError("DUPLICATE_MODEL", `models ${spec.name} and ${other}: both have the prefix ${prefix}`);
    this.places.set(prefix, { prefix, spec, message, older });
    this.lastPlace = undefined;
  }

  models(): readonly ModelSpec<object>[] {
    return [...this.specs.values()];
  }

  forKey(key: string): ModelSpec<object> | undefined {
    return this.place(key)?.spec;
  }

  normaliseKey(key: string): string {
    return this.locate(key).key;
  }

  isShortFor(short: string, key: string): boolean {
    const spec = this.place(key)?.spec;
    if (spec?.isShortFor === undefined || !short.startsWith(spec.prefix)) return false;
    return spec.isShortFor(short.slice(spec.prefix.length), key.slice(spec.prefix.length));
  }

  isChangeOf(key: string, before: string): boolean {
    const spec = this.place(key)?.spec;
    if (spec?.isChangeOf === undefined || !before.startsWith(spec.prefix)) return false;
    return spec.isChangeOf(key.slice(spec.prefix.length), before.slice(spec.prefix.length));
  }

  normalisePrefix(prefix: string): string {
    const own = this.withoutLabel(prefix);
    const place = this.place(own);
    return place?.older === undefined ? own : place.spec.prefix + own.slice(place.prefix.length);
  }

  decode(key: string, value: object | Uint8Array, contentType?: string): DecodedValue {
    const location = this.locate(key);
    try {
      return this.named(location, this.reading.read(location.place.message, value, contentType));
    } catch (thrown) {
      throw invalidInput(location.key, thrown, location.key);
    }
  }

  encode(key: string, value: object, encoding: Encoding): Uint8Array {
    const { place, key: ownKey } = this.locate(key);
    // In today's form, whichever form the key has.
    const message = this.place(place.spec.prefix)?.message ?? place.message;
    try {
      return this.write(message, value, encoding);
    } catch (thrown) {
      throw invalidInput(ownKey, thrown, ownKey);
    }
  }

  keyOf(model: string, value: object): string {
    const spec = this.specs.get(model);
    if (!spec) {
      const known = [...this.specs.keys()].join(", ");
      throw new InvalidInputError("UNKNOWN_MODEL", `no model is called ${model}; there are ${known}`);
    }
    try {
      return spec.prefix + modelAnswer(() => spec.nameOf(value));
    } catch (thrown) {
      throw invalidInput(model, thrown);
    }
  }

  decodeMessage<T extends object>(message: string, payload: Uint8Array | object, contentType?: string): T {
    const table = this.messageTable(message);
    try {
      return this.reading.read(table, payload, contentType) as T;
    } catch (thrown) {
      throw invalidInput(message, thrown);
    }
  }

  async decodeInSlices<T extends object>(
    message: string,
    payload: Uint8Array,
    { contentType, maxEntries }: LargePayload = {},
  ): Promise<T> {
    if (payload.length <= SLICE_BYTES) return this.decodeMessage(message, payload, contentType);
    const table = this.messageTable(message);
    try {
      return (await this.reading.readInSlices(table, payload, contentType, maxEntries)) as T;
    } catch (thrown) {
      throw invalidInput(message, thrown);
    }
  }

  encodeMessage(message: string, value: object, encoding: Encoding): Uint8Array {
    const table = this.messageTable(message);
    try {
      return this.write(table, value, encoding);
    } catch (thrown) {
      throw invalidInput(message, thrown);
    }
  }

  private messageTable(name: string): MessageTable {
    const table = this.types.find(name);
    if (!table) throw new BugError("UNKNOWN_MESSAGE", `no message is called ${name}`);
    return table;
  }

  private write(message: MessageTable, value: object, encoding: Encoding): Uint8Array {
    const canonical = canonicalMessage(message, value, this.any);
    return encoding === "json" ? Buffer.from(JSON.stringify(canonical)) : encodeBytes(message, canonical, this.any);
  }

  /** The value in today's form, when the name it gives itself is the one in its key, or one that the key is short for. */
  private named({ place, normalised, name, key }: Location, value: object): DecodedValue {
    const { older, spec } = place;
    return modelAnswer(() => {
      const current = older ? older.translate(name, value) : value;
      const ownName = spec.nameOf(current);
      if (ownName === normalised) return { key, value: current };
      if (spec.isShortFor?.(normalised, ownName) === true) {
        return { key: spec.prefix + ownName, value: current, shortKey: key };
      }
      const problem = `the value is named "${ownName}", so its key is ${spec.prefix}${ownName}`;
      throw new FieldError("KEY_MISMATCH", problem, spec.nameFields.join(", "));
    });
  }

  /** Longest prefix first. */
  private place(key: string): Place | undefined {
    if (this.lastPlace !== undefined && key.startsWith(this.lastPlace.prefix)) return this.lastPlace;
    for (const length of this.prefixLengths) {
      const place = key.length < length ? undefined : this.places.get(key.slice(0, length));
      if (place === undefined) continue;
      const { prefix } = place;
      const isInnermost = [...this.places.keys()].every((each) => each === prefix || !each.startsWith(prefix));
      if (isInnermost) this.lastPlace = place;
      return place;
    }
    return undefined;
  }

  private locate(rawKey: string): Location {
    if (rawKey.length > MAX_KEY_LENGTH) {
      const start = rawKey.slice(0, 60);
      throw new InvalidInputError("KEY_TOO_LONG", `the key ${start}… has more than ${MAX_KEY_LENGTH} characters`);
    }
    const ownKey = this.withoutLabel(rawKey);
    const place = this.place(ownKey);
    if (!place) {
      const prefixes = [...this.places.values()].filter(({ older }) => !older).map(({ prefix }) => `${prefix}…`);
      throw new InvalidInputError("UNKNOWN_KEY", `${rawKey}: no such kind of key; there are ${prefixes.join(", ")}`, {
        key: rawKey,
      });
    }
    const name = ownKey.slice(place.prefix.length);
    if (name === "")
      throw new InvalidInputError("UNKNOWN_KEY", `${rawKey}: the key ends before the name`, { key: rawKey });
    const normalised = place.spec.normaliseName?.(name) ?? name;
    const isKey = normalised === name && place.older === undefined;
    return { place, name, normalised, key: isKey ? ownKey : place.spec.prefix + normalised };
  }

  private withoutLabel(key: string): string {
    if (!key.startsWith(AGENT_PREFIX)) return key.startsWith("/") ? key.slice(1) : key;
    const [label = "", ...rest] = key.slice(AGENT_PREFIX.length).split("/");
    if (label === this.label) return rest.join("/");
    throw new InvalidInputError("FOREIGN_LABEL", `${key}: is for the agent ${label}, and this is ${this.label}`, {
      key,
    });
  }
}

/** Runs what a model brings along; its complaints are told like the codec's own. */
function modelAnswer<T>(ask: () => T): T {
  try {
    return ask();
  } catch (thrown) {
    throw thrown instanceof ModelError ? new FieldError(thrown.code, thrown.problem, thrown.field) : thrown;
  }
}

/**
 * An empty registry: plugins register the models they handle. Messages of all .proto files are known from the start.
 * `label` is the agent's name, which keys of the form `/vnf-agent/<label>/…` must carry.
 */
export function createModelRegistry({ label }: { readonly label: string }): ModelRegistry {
  return new Registry(label);
}
