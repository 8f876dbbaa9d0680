import type { AgentEvent, SourceItem } from "#core/northbound/index.js";

/** The event about an item that can never be applied. */
export function deadLetterOf(source: string, item: SourceItem, error: string): AgentEvent {
  const origin = item.origin ?? source;
  return { kind: "deadletter", origin, data: { key: item.key, origin, error, payload: payloadText(item.value) } };
}

/** Text as it came; base64 when it is not UTF-8. */
function payloadText(value: SourceItem["value"]): string {
  if (value === undefined) return "";
  if (!(value instanceof Uint8Array)) return JSON.stringify(value);
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(value);
  } catch {
    return Buffer.from(value).toString("base64");
  }
}
