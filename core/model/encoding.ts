import { FieldError } from "./field-error.js";
import { CONTENT_TYPE, type Encoding } from "./types.js";

const JSON_TYPES = /^(?:application|text)\/(?:[\w.-]+\+)?json$/;
const PROTOBUF_TYPES = new Set<string>([
  CONTENT_TYPE.protobuf,
  "application/protobuf",
  "application/vnd.google.protobuf",
]);

/** What bytes are. It is `declared` when the content type said so, and not only by the first byte. */
export interface PayloadEncoding {
  readonly encoding: Encoding;
  readonly declared: boolean;
}

/** Tells JSON from protobuf by the content type, and by looking when that says nothing. An empty payload is JSON without a field. */
export function encodingOf(bytes: Uint8Array, contentType: string | undefined): PayloadEncoding {
  const declared = declaredEncoding(contentType);
  if (declared !== undefined) return { encoding: declared, declared: true };
  return { encoding: bytes.length === 0 || looksLikeJson(bytes) ? "json" : "protobuf", declared: false };
}

/**
 * A protobuf message may begin with what in JSON is a line break and a brace: field 1, a text of 123 bytes. `thrown` is why it is
 * no JSON.
 */
export function mayBeProtobuf(bytes: Uint8Array, { declared }: PayloadEncoding, thrown: unknown): thrown is FieldError {
  return !declared && bytes[0] === FIELD_1_TEXT && thrown instanceof FieldError;
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
