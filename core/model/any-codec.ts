import { type AnyPacker, decodeBytes, encodeBytes, type PackedAny } from "./binary.js";
import { type AnyReader, canonicalMessage, type Fields } from "./canonical.js";
import { FieldError, shown, within } from "./field-error.js";
import { parseJson } from "./json-text.js";
import type { MessageTypes } from "./message-types.js";
import type { MessageTable } from "./schema.js";

const TYPE_URL_PREFIX = "type.googleapis.com/";
const JSON_VALUE = "tenuto.v1.JsonValue";
const MAX_DEPTH = 16;

/** An `Any` that could not be unpacked. Whoever decodes it with its key learns why. */
export interface UndecodedAny {
  readonly "@type": string;
  readonly value: Uint8Array;
}

export function isUndecodedAny(value: object): value is UndecodedAny {
  return "@type" in value && "value" in value && value.value instanceof Uint8Array;
}

/** `ligato.linux.l3.Route` of `type.googleapis.com/ligato.linux.l3.Route`. */
export function messageOfTypeUrl(url: string): string {
  return url.slice(url.lastIndexOf("/") + 1);
}

/** The type that an object names itself, and the object without it. */
export function splitType(value: object): { readonly typeUrl: string | undefined; readonly fields: object } {
  const { "@type": typeUrl, ...fields } = value as Fields;
  if (typeUrl === undefined) return { typeUrl: undefined, fields: value };
  if (typeof typeUrl !== "string") throw new FieldError("WRONG_TYPE", `expected text, got ${shown(typeUrl)}`, "@type");
  return { typeUrl, fields };
}

/**
 * `google.protobuf.Any` in both encodings. In JSON it is the message with a field `@type`; beside a `key` it is the
 * key's message, and `@type` may be left out. There its content is not checked here: `ModelRegistry.decode` does that,
 * so that one bad value among many is reported with its own key.
 */
export class AnyCodec implements AnyReader, AnyPacker {
  private readonly types: MessageTypes;
  private readonly messageOfKey: (key: string) => string | undefined;
  private depth = 0;

  constructor(types: MessageTypes, messageOfKey: (key: string) => string | undefined) {
    this.types = types;
    this.messageOfKey = messageOfKey;
  }

  anyFromJson(input: unknown, parent: object): object {
    if (typeof input !== "object" || input === null || Array.isArray(input)) {
      throw new FieldError("WRONG_TYPE", `expected an object, got ${shown(input)}`);
    }
    const key = keyBeside(parent);
    if (input instanceof Uint8Array) return this.unpackBeside(key ?? "", input);
    if (key !== undefined) return input;
    const { typeUrl, fields } = splitType(input);
    if (typeUrl === undefined) {
      throw new FieldError(
        "MISSING_FIELD",
        "is missing, and so is a key beside it: one of them must say which message this is",
        "@type",
      );
    }
    const message = this.message(messageOfTypeUrl(typeUrl));
    return { "@type": typeUrl, ...this.deeper(() => canonicalMessage(message, fields, this)) };
  }

  packAny(content: object, parent: object): PackedAny {
    if (isUndecodedAny(content)) return { type_url: content["@type"], value: content.value };
    const key = keyBeside(parent);
    const { typeUrl, fields } = splitType(content);
    const named = typeUrl === undefined ? undefined : messageOfTypeUrl(typeUrl);
    const name = named ?? (key === undefined ? undefined : this.messageOfKey(key));
    const message = this.message(name ?? JSON_VALUE);
    const plain = name === undefined ? { text: JSON.stringify(content) } : fields;
    const value = this.deeper(() => encodeBytes(message, canonicalMessage(message, plain, this), this));
    return { type_url: TYPE_URL_PREFIX + message.name, value };
  }

  unpackAny({ type_url, value }: PackedAny, parent: object): object {
    const name = messageOfTypeUrl(type_url);
    const key = keyBeside(parent);
    if (key === undefined) return { "@type": type_url, ...this.unpack(name, value) };
    try {
      const content = this.unpack(name, value);
      return name === JSON_VALUE || name === this.messageOfKey(key) ? content : { "@type": type_url, ...content };
    } catch (thrown) {
      if (!(thrown instanceof FieldError) || thrown.code === "TOO_DEEP") throw thrown;
      return { "@type": type_url, value } satisfies UndecodedAny;
    }
  }

  private unpackBeside(key: string, bytes: Uint8Array): object {
    const name = this.messageOfKey(key);
    if (name === undefined) {
      throw new FieldError("UNKNOWN_MESSAGE", `of what message these bytes are, the key "${key}" does not say`);
    }
    return this.unpack(name, bytes);
  }

  private unpack(name: string, bytes: Uint8Array): object {
    const message = this.message(name);
    const content = this.deeper(() => decodeBytes(message, bytes, this));
    return name === JSON_VALUE ? parseObject(String((content as Fields).text)) : content;
  }

  private message(name: string): MessageTable {
    const message = this.types.find(name);
    if (!message) throw new FieldError("UNKNOWN_MESSAGE", `no message is called "${name}"`, "@type");
    return message;
  }

  /** Every level of nesting costs stack, and the sender decides how many there are. */
  private deeper<T>(step: () => T): T {
    if (this.depth >= MAX_DEPTH) throw new FieldError("TOO_DEEP", `more than ${MAX_DEPTH} messages inside each other`);
    this.depth++;
    try {
      return step();
    } finally {
      this.depth--;
    }
  }
}

function keyBeside(parent: object): string | undefined {
  return "key" in parent && typeof parent.key === "string" ? parent.key : undefined;
}

function parseObject(text: string): object {
  try {
    const value = parseJson(Buffer.from(text));
    if (typeof value === "object" && value !== null) return value;
  } catch (thrown) {
    throw within("text", thrown);
  }
  throw new FieldError("INVALID_JSON", "not a JSON object", "text");
}
