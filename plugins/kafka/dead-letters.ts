import type { IHeaders } from "kafkajs";
import type { DeadLetter } from "#core/northbound/index.js";
import { DEAD_LETTER_HEADERS, topicFor } from "#proto/kafka.js";
import type { KafkaConfig } from "./config.js";
import { headersSize, type OutgoingRecord, RECORD_ROOM } from "./connection/producer.js";
import { type MessageOrigin, originText, type ReadMessage } from "./message.js";

const TRUNCATED_HEADER = "truncated";
/** Of what a record may have, the message's own headers get at most this part; those behind are left out. */
const HEADERS_PART = 1 / 4;
/** So that readers that bound the number of headers, as this agent does, take the dead letter. */
const MOST_HEADERS = 500;

/**
 * A message that can never be applied, as it came, with the reason in headers. What is larger than `limit` bytes is cut: value
 * and headers. Whatever came, this can be encoded and is not larger.
 */
export function deadLetter(
  config: KafkaConfig,
  label: string,
  letter: ReadMessage & { readonly error: string; readonly limit: number },
): OutgoingRecord {
  const { origin, message, error, limit } = letter;
  const reason = error.slice(0, RECORD_ROOM / 2);
  const own = headersWithin(message.headers ?? {}, limit * HEADERS_PART);
  const room = Math.max(0, limit - RECORD_ROOM - own.bytes);
  const { value } = message;
  const cutValue = value !== null && value.length > room;
  const cut = cutValue || own.cut;
  const headers: IHeaders = {
    ...own.headers,
    [DEAD_LETTER_HEADERS.error]: reason,
    [DEAD_LETTER_HEADERS.topic]: origin.topic,
    [DEAD_LETTER_HEADERS.partition]: String(origin.partition),
    [DEAD_LETTER_HEADERS.offset]: origin.offset,
    ...(message.key === null ? {} : { [DEAD_LETTER_HEADERS.key]: message.key.subarray(0, RECORD_ROOM / 4) }),
    ...(cut ? { [TRUNCATED_HEADER]: "true" } : {}),
  };
  const topic = topicFor(config.topics.dead_letter, label);
  return { topic, key: label, value: cutValue ? value.subarray(0, room) : value, headers, isOptional: true };
}

function headersWithin(
  headers: IHeaders,
  limit: number,
): { readonly headers: IHeaders; readonly bytes: number; readonly cut: boolean } {
  const kept: [string, IHeaders[string]][] = [];
  let bytes = 0;
  for (const [name, value] of Object.entries(headers)) {
    const size = headersSize({ [name]: value });
    if (bytes + size > limit || kept.length >= MOST_HEADERS) continue;
    kept.push([name, value]);
    bytes += size;
  }
  return { headers: Object.fromEntries(kept), bytes, cut: kept.length < Object.keys(headers).length };
}

/**
 * What is known of messages while the agent looks at them, by their origin as text: the event that tells of a dead letter has
 * that text only.
 */
export class Origins {
  private readonly known = new Map<string, ReadMessage>();
  /** Origins whose dead letters are on the bus already. */
  private readonly sent = new Set<string>();

  /** Knows these messages while `work` lasts. */
  async during(messages: readonly ReadMessage[], work: () => unknown): Promise<void> {
    for (const read of messages) this.known.set(originText(read.origin), read);
    try {
      await work();
    } finally {
      for (const { origin } of messages) this.known.delete(originText(origin));
    }
  }

  /** Tells of a dead letter by `tell`, of which no record shall be made: there is one. */
  withoutRecord(origin: MessageOrigin, tell: (text: string) => void): void {
    const text = originText(origin);
    this.sent.add(text);
    tell(text);
    this.sent.delete(text);
  }

  /** What an event is about; `undefined` when there is a record already. One from elsewhere says itself what came. */
  letterOf({ origin: text, payload }: DeadLetter): ReadMessage | undefined {
    if (this.sent.has(text)) return undefined;
    const known = this.known.get(text);
    if (known !== undefined) return known;
    const [topic = text, offset = ""] = text.split(/@(?=[^@]*$)/);
    const value = Buffer.from(payload);
    const message = { key: null, value, timestamp: "", attributes: 0, offset, headers: {} };
    return { origin: { topic, partition: 0, offset }, message };
  }
}
