import type { IHeaders } from "kafkajs";
import { CONTENT_TYPE } from "#core/model/types.js";
import { cloudEventHeaders } from "#core/northbound/cloud-events.js";
import { fitEvent } from "#core/northbound/fit.js";
import type { EventEnvelope } from "#core/northbound/index.js";
import { HEADERS, interfaceStateKey, topicFor } from "#proto/kafka.js";
import type { KafkaConfig } from "./config.js";
import { type OutgoingRecord, RECORD_ROOM } from "./connection/producer.js";

/** An event as messages on the topics of the contract: CloudEvents in binary mode; a deleted interface leaves a tombstone. */
export function eventRecords(
  { topics, max_message_bytes: limit }: KafkaConfig,
  label: string,
  envelope: EventEnvelope,
): readonly OutgoingRecord[] {
  const { event } = envelope;
  const headers: IHeaders = { ...cloudEventHeaders(envelope), [HEADERS.contentType]: CONTENT_TYPE.json };
  const value = fitEvent(event, Math.max(0, limit - RECORD_ROOM));
  if (event.kind !== "interface") return [{ topic: topicFor(topics.events, label), key: label, value, headers }];
  const topic = topicFor(topics.interface_state, label);
  const key = interfaceStateKey(label, event.name);
  const state = { topic, key, value, headers };
  return event.deleted ? [state, { topic, key, value: null, headers: {} }] : [state];
}
