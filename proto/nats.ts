import { escapeKey, escapeToken, unescapeKey } from "./escaping.js";

/** The names of the contract on NATS, for the agent and for its clients. */

/** Name of the NATS service whose endpoints are the requests of an agent. */
export const SERVICE = "tenuto";

/** Requests that every agent answers, as the last part of their subject. */
export const CONFIG_REQUESTS = ["commit", "confirm", "cancel", "get", "dump", "resync", "status", "history"] as const;
export type ConfigRequest = (typeof CONFIG_REQUESTS)[number];

export const CONFIG_BUCKET = "tenuto-config";
export const STATE_BUCKET = "tenuto-state";

/** Header of a transaction that travels in parts: `2/5`. */
export const PART_HEADER = "tenuto-part";
export const CONTENT_TYPE_HEADER = "Content-Type";

/** Subject of a request. The label is one token, so the dots of a host name are escaped. */
export function requestSubject(label: string, request: ConfigRequest): string {
  return `tenuto.${escapeToken(label)}.config.${request}`;
}

/** Subject of a request that is a plugin's own, for example `ifmgr`, `plug`. */
export function groupSubject(label: string, group: string, request: string): string {
  return `tenuto.${escapeToken(label)}.${group}.${request}`;
}

/** Subject of an interface's notifications; without a name, of all of them. */
export function interfaceStateSubject(label: string, name?: string): string {
  return `tenuto.${escapeToken(label)}.state.interface.${name === undefined ? ">" : escapeToken(name)}`;
}

export type EventSubject = "value" | "drift" | "transaction" | "ifmgr" | "health" | "deadletter";

export function eventSubject(label: string, event: EventSubject): string {
  return `tenuto.${escapeToken(label)}.event.${event}`;
}

/** Where agents with one label agree which of them serves it. */
export function ownerSubject(label: string): string {
  return `tenuto.${escapeToken(label)}.owner`;
}

/** Key of a desired value in the bucket `tenuto-config`. */
export function configBucketKey(label: string, key: string): string {
  return `${escapeToken(label)}.${escapeKey(key)}`;
}

/** Keys of the bucket `tenuto-config` that are no values, below the label: the agent's record of what it has read, */
export const EPOCH_RECORD = "tenuto/epoch";
/** and an orchestrator's word that the bucket has everything that it wants. Whatever else begins so is left alone. */
export const COMPLETE_MARKER = "tenuto/complete";
export const RESERVED_PREFIX = "tenuto/";

/** Key filter for everything that the bucket holds for an agent. */
export function bucketFilter(label: string): string {
  return `${escapeToken(label)}.>`;
}

/** The model key of an entry of `tenuto-config`, or `undefined` when it is another agent's or its escapes are broken. */
export function keyFromConfigBucket(label: string, bucketKey: string): string | undefined {
  const prefix = `${escapeToken(label)}.`;
  return bucketKey.startsWith(prefix) ? unescapeKey(bucketKey.slice(prefix.length)) : undefined;
}

/** Key of an interface's last state in the bucket `tenuto-state`; without a name, the filter for all of them. */
export function stateBucketKey(label: string, name?: string): string {
  return `${escapeToken(label)}.interface.${name === undefined ? ">" : escapeKey(name)}`;
}

/** The interface name of an entry of `tenuto-state`. */
export function nameFromStateBucket(label: string, bucketKey: string): string | undefined {
  const prefix = `${escapeToken(label)}.interface.`;
  return bucketKey.startsWith(prefix) ? unescapeKey(bucketKey.slice(prefix.length)) : undefined;
}
