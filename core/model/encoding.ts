import { errorMessage } from "../errors.js";
import { FieldError } from "./field-error.js";
import { CONTENT_TYPE, type Encoding } from "./types.js";

const JSON_TYPES = /^(?:application|text)\/(?:[\w.-]+\+)?json$/;
const PROTOBUF_TYPES = new Set<string>([
  CONTENT_TYPE.protobuf,
  "application/protobuf",
  "application/vnd.google.protobuf",
]);

const utf8 = new TextDecoder("utf-8", { fatal: true });

/**
 * What bytes turned out to be. Protobuf is `declared` when the content type said so, and not only for want of a brace.
 */
export type Payload =
  | { readonly encoding: "json"; readonly value: unknown }
  | { readonly encoding: "protobuf"; readonly declared: boolean };

/**
 * Tells JSON from protobuf by the content type, and by looking when that says nothing. An empty payload is a message
 * without fields in either encoding. Throws {@link FieldError} for bytes that should be JSON and are not.
 */
export function readPayload(bytes: Uint8Array, contentType: string | undefined): Payload {
  if (bytes.length === 0) return { encoding: "json", value: {} };
  const declared = declaredEncoding(contentType);
  if (declared === "protobuf" || (declared === undefined && !looksLikeJson(bytes))) {
    return { encoding: "protobuf", declared: declared !== undefined };
  }
  try {
    return { encoding: "json", value: JSON.parse(utf8.decode(bytes)) as unknown };
  } catch (thrown) {
    // A protobuf message may begin with what in JSON is a line break and a brace: field 1, a text of 123 bytes.
    if (declared === undefined && bytes[0] === FIELD_1_TEXT) return { encoding: "protobuf", declared: false };
    throw new FieldError("INVALID_JSON", `not JSON: ${errorMessage(thrown)}`);
  }
}

const FIELD_1_TEXT = 0x0a;
const SPACES = new Set([0x09, 0x0a, 0x0d, 0x20]);
const OPENING = new Set(["{".charCodeAt(0), "[".charCodeAt(0)]);

/** JSON that can be a message begins with a brace (or, wrongly, a bracket) after white space. */
function looksLikeJson(bytes: Uint8Array): boolean {
  const first = bytes.find((byte) => !SPACES.has(byte));
  return first !== undefined && OPENING.has(first);
}

/** `undefined` for a type that says neither, such as `text/plain` or `application/octet-stream`. */
function declaredEncoding(contentType: string | undefined): Encoding | undefined {
  const mediaType = contentType?.split(";", 1)[0]?.trim().toLowerCase() ?? "";
  if (JSON_TYPES.test(mediaType)) return "json";
  return PROTOBUF_TYPES.has(mediaType) ? "protobuf" : undefined;
}
