import { MsgHdrsImpl } from "nats";
import { CONTENT_TYPE } from "#core/model/types.js";
import { cloudEventHeaders } from "#core/northbound/cloud-events.js";
import { fitEvent } from "#core/northbound/fit.js";
import type { AgentEvent, EventEnvelope } from "#core/northbound/index.js";
import { CONTENT_TYPE_HEADER, eventSubject, interfaceStateSubject } from "#proto/nats.js";
import type { Outgoing } from "./messages.js";

/** The subject of the contract that an event goes to. */
export function subjectOf(label: string, event: AgentEvent): string {
  return event.kind === "interface" ? interfaceStateSubject(label, event.name) : eventSubject(label, event.kind);
}

/** An event as a message of at most `limit` bytes: its JSON, and its envelope as CloudEvents headers (binary mode). */
export function eventMessage(envelope: EventEnvelope, limit: number): Outgoing {
  // `set` looks every name up again and reads it letter by letter.
  const head: Record<string, string[]> = { [CONTENT_TYPE_HEADER]: [CONTENT_TYPE.json] };
  for (const [name, value] of Object.entries(cloudEventHeaders(envelope))) head[name] = [value];
  return { data: fitEvent(envelope.event, limit), headers: MsgHdrsImpl.fromRecord(head) };
}
