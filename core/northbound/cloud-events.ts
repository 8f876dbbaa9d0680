import type { EventEnvelope } from "./events.js";

const PLAIN = /^[!#$&-~]*$/;

/**
 * A CloudEvents attribute as a header: what is not printable ASCII, and blank, `"` and `%`, is percent-encoded (CloudEvents
 * 1.0 protocol bindings, "header value encoding").
 */
function attribute(text: string): string {
  if (PLAIN.test(text)) return text;
  const encode = (byte: number): string => {
    const character = String.fromCharCode(byte);
    return PLAIN.test(character) ? character : `%${byte.toString(16).toUpperCase().padStart(2, "0")}`;
  };
  return Array.from(new TextEncoder().encode(text), encode).join("");
}

/** The envelope of an event as headers of a message: CloudEvents 1.0, binary mode, the names of the contract. */
export function cloudEventHeaders(envelope: EventEnvelope): Readonly<Record<string, string>> {
  return {
    "ce-specversion": "1.0",
    "ce-id": attribute(envelope.id),
    "ce-source": attribute(envelope.source),
    "ce-type": attribute(envelope.type),
    "ce-time": envelope.time,
    "ce-subject": attribute(envelope.subject),
  };
}
