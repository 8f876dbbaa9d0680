import { Slices } from "../slices.js";
import { type AnyCodec, isUndecodedAny, messageOfTypeUrl, splitType } from "./any-codec.js";
import { decodeBytes, decodeBytesInSlices } from "./binary.js";
import { Budget } from "./budget.js";
import { canonicalInSlices, canonicalMessage } from "./canonical.js";
import { encodingOf, mayBeProtobuf, type PayloadEncoding } from "./encoding.js";
import { FieldError } from "./field-error.js";
import { SLICE_BYTES } from "./json-scan.js";
import { parseJson, parseJsonInSlices } from "./json-text.js";
import type { MessageTypes } from "./message-types.js";
import { countRecords } from "./protobuf-scan.js";
import type { MessageTable } from "./schema.js";

/** The way from a payload to a message in canonical form. */
export class PayloadReader {
  private readonly types: MessageTypes;
  private readonly any: AnyCodec;

  constructor(types: MessageTypes, any: AnyCodec) {
    this.types = types;
    this.any = any;
  }

  /** From bytes, from parsed JSON, or from an `Any`. Throws {@link FieldError}. */
  read(message: MessageTable, input: object | Uint8Array, contentType: string | undefined): object {
    if (input instanceof Uint8Array) return this.readBytes(message, input, contentType);
    if (isUndecodedAny(input)) {
      checkType(message, input["@type"]);
      return decodeBytes(message, input.value, this.any);
    }
    return this.readJson(message, input);
  }

  private readBytes(message: MessageTable, bytes: Uint8Array, contentType: string | undefined): object {
    const payload = encodingOf(bytes, contentType);
    let notJson: FieldError | undefined;
    if (payload.encoding === "json") {
      try {
        return this.readJson(message, bytes.length === 0 ? {} : parseJson(bytes));
      } catch (thrown) {
        if (!mayBeProtobuf(bytes, payload, thrown)) throw thrown;
        notJson = thrown;
      }
    }
    try {
      if (bytes.length > SLICE_BYTES) this.count(message, bytes);
      return decodeBytes(message, bytes, this.any);
    } catch (thrown) {
      throw notProtobuf(thrown, payload, notJson);
    }
  }

  /** The same from bytes of any size, with others in between. `maxEntries`: of a list of JSON that is in no other. */
  async readInSlices(
    message: MessageTable,
    bytes: Uint8Array,
    contentType: string | undefined,
    maxEntries: number | undefined,
  ): Promise<object> {
    const payload = encodingOf(bytes, contentType);
    const slices = new Slices();
    let notJson: FieldError | undefined;
    if (payload.encoding === "json") {
      try {
        return await this.readJsonInSlices(message, await parseJsonInSlices(bytes, slices, maxEntries), slices);
      } catch (thrown) {
        if (!mayBeProtobuf(bytes, payload, thrown)) throw thrown;
        notJson = thrown;
      }
    }
    try {
      this.count(message, bytes);
      return await decodeBytesInSlices(message, bytes, this.any, slices);
    } catch (thrown) {
      throw notProtobuf(thrown, payload, notJson);
    }
  }

  private async readJsonInSlices(message: MessageTable, parsed: unknown, slices: Slices): Promise<object> {
    const isTyped = typeof parsed === "object" && parsed !== null && "@type" in parsed;
    return isTyped ? this.readJson(message, parsed) : await canonicalInSlices(message, parsed, this.any, slices);
  }

  private count(message: MessageTable, bytes: Uint8Array): void {
    countRecords(message, bytes, new Budget(), (typeUrl) => this.types.find(messageOfTypeUrl(typeUrl)));
  }

  private readJson(message: MessageTable, input: unknown): object {
    if (typeof input !== "object" || input === null || !("@type" in input))
      return canonicalMessage(message, input, this.any);
    const { typeUrl, fields } = splitType(input);
    if (typeUrl !== undefined) checkType(message, typeUrl);
    return canonicalMessage(message, fields, this.any);
  }
}

/** An `Any`, or JSON with `@type`, must be of the message that its place asks for. */
function checkType(message: MessageTable, typeUrl: string): void {
  const name = messageOfTypeUrl(typeUrl);
  if (name !== message.name)
    throw new FieldError(
      "KEY_MISMATCH",
      `is ${name === "" ? "empty" : `a ${name}`}, and should be a ${message.name}`,
      "@type",
    );
}

/** Says of text such as `hello` that it is not JSON either; `notJson` is why, of what begins like JSON. */
function notProtobuf(thrown: unknown, { declared }: PayloadEncoding, notJson: FieldError | undefined): unknown {
  if (declared) return thrown;
  if (notJson !== undefined && notJson.code !== "INVALID_JSON") return notJson;
  if (!(thrown instanceof FieldError) || thrown.code !== "INVALID_PROTOBUF") return thrown;
  return new FieldError("INVALID_PAYLOAD", `neither JSON, which begins with a brace, nor protobuf: ${thrown.message}`);
}
