import type { IHeaders } from "kafkajs";
import { CONTENT_TYPE } from "#core/model/types.js";
import { cloudEventHeaders } from "#core/northbound/cloud-events.js";
import { fitResult } from "#core/northbound/fit.js";
import type { EventEnvelope } from "#core/northbound/index.js";
import { HEADERS, interfaceStateKey, topicFor } from "#proto/kafka.js";
import type { KafkaConfig } from "./config.js";
import { type OutgoingRecord, RECORD_ROOM } from "./connection/producer.js";

function jsonBytes(value: object): Uint8Array {
  return Buffer.from(JSON.stringify(value));
}

/** What an event says. The result of a large transaction is cut to what matters, as its answer is. */
function payload({ event }: EventEnvelope, limit: number): Uint8Array {
  return event.kind === "transaction"
    ? fitResult(event.data, Math.max(0, limit - RECORD_ROOM), jsonBytes)
    : jsonBytes(event.data);
}

/** An event as messages on the topics of the contract: CloudEvents in binary mode; a deleted interface leaves a tombstone. */
export function eventRecords(
  { topics, max_message_bytes: limit }: KafkaConfig,
  label: string,
  envelope: EventEnvelope,
): readonly OutgoingRecord[] {
  const { event } = envelope;
  const headers: IHeaders = { ...cloudEventHeaders(envelope), [HEADERS.contentType]: CONTENT_TYPE.json };
  const value = payload(envelope, limit);
  if (event.kind !== "interface") return [{ topic: topicFor(topics.events, label), key: label, value, headers }];
  const topic = topicFor(topics.interface_state, label);
  const key = interfaceStateKey(label, event.name);
  const state = { topic, key, value, headers };
  return event.deleted ? [state, { topic, key, value: null, headers: {} }] : [state];
}
