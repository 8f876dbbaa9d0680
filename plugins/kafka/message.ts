import type { KafkaMessage } from "kafkajs";
import { firstOffsetOf } from "./records/log-record.js";

/** A header's text; empty without. Names are compared without regard to case, as on other buses. */
export function headerOf({ headers = {} }: KafkaMessage, name: string): string {
  const [, value] = Object.entries(headers).find(([key]) => key.toLowerCase() === name) ?? [];
  const first = Array.isArray(value) ? value[0] : value;
  return first === undefined || first === null ? "" : first.toString();
}

/** Where a message came from. */
export interface MessageOrigin {
  readonly topic: string;
  readonly partition: number;
  readonly offset: string;
}

export interface ReadMessage {
  readonly origin: MessageOrigin;
  readonly message: KafkaMessage;
}

export function originOf(topic: string, partition: number, message: KafkaMessage): MessageOrigin {
  return { topic, partition, offset: firstOffsetOf(message) };
}

/** An origin as text: `tenuto.t1.config@17`, with the partition when it is not the first one. */
export function originText({ topic, partition, offset }: MessageOrigin): string {
  return `${topic}${partition === 0 ? "" : `[${partition}]`}@${offset}`;
}
