import type { MsgHdrs } from "nats";
import { type EventSubject, eventSubject, interfaceStateSubject, STATE_BUCKET, stateBucketKey } from "#proto/nats.js";
import type { NatsRequests } from "./nats-connection.js";
import type { AgentEvent, WatchTopic } from "./types.js";

const EVENTS: Readonly<Record<Exclude<WatchTopic, "interfaces">, EventSubject>> = {
  values: "value",
  drift: "drift",
  transactions: "transaction",
  ifmgr: "ifmgr",
  health: "health",
  deadletters: "deadletter",
};

interface Notification {
  readonly data: Uint8Array;
  readonly headers?: MsgHdrs | undefined;
}

function attribute(message: Notification, name: string): string {
  const value = message.headers?.get(`ce-${name}`) ?? "";
  try {
    return decodeURIComponent(value);
  } catch (error) {
    if (error instanceof URIError) return value;
    throw error;
  }
}

/** The notification as an event, or `undefined` when it is no JSON object: somebody else wrote to the subject. */
function toEvent(message: Notification): AgentEvent | undefined {
  try {
    const data: unknown = JSON.parse(Buffer.from(message.data).toString("utf8"));
    if (typeof data !== "object" || data === null) return undefined;
    return {
      id: attribute(message, "id"),
      source: attribute(message, "source"),
      type: attribute(message, "type"),
      time: attribute(message, "time"),
      subject: attribute(message, "subject"),
      data,
    };
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

/** So many states are asked for at once. */
const AT_ONCE = 64;

/**
 * The last state of every interface, from the bucket `tenuto-state`; nothing when the broker does not keep it. Each is got by its
 * subject, which the account may be restricted to; a consumer would need the right to make consumers, which is one to have messages
 * delivered to any subject.
 */
async function lastStates(bus: NatsRequests, label: string): Promise<readonly AgentEvent[]> {
  const stream = `KV_${STATE_BUCKET}`;
  const manager = await bus.connection.jetstream().jetstreamManager();
  const filter = `$KV.${STATE_BUCKET}.${stateBucketKey(label)}`;
  const { state, config } = await manager.streams.info(stream, { subjects_filter: filter });
  const last = async (subject: string): Promise<AgentEvent | undefined> => {
    if (!config.allow_direct) {
      const { data, header } = await manager.streams.getMessage(stream, { last_by_subj: subject });
      return data.length === 0 ? undefined : toEvent({ data, headers: header });
    }
    // The stored message as it is. One that went meanwhile is a status without data.
    const message = await bus.connection.request(`$JS.API.DIRECT.GET.${stream}.${subject}`);
    return message.data.length === 0 ? undefined : toEvent(message);
  };
  const subjects = Object.keys(state.subjects ?? {});
  const events: AgentEvent[] = [];
  for (let begin = 0; begin < subjects.length; begin += AT_ONCE) {
    const some = await Promise.all(subjects.slice(begin, begin + AT_ONCE).map(last));
    events.push(...some.flatMap((event) => event ?? []));
  }
  return events;
}

async function lastStatesIfKept(bus: NatsRequests, label: string): Promise<readonly AgentEvent[]> {
  try {
    return await lastStates(bus, label);
  } catch (error) {
    // No JetStream, no bucket yet, or not for this account: then there are the changes alone.
    if (error instanceof Error && "code" in error) return [];
    throw error;
  }
}

/** Notifications of an agent as they come; `interfaces` begins with the last states. Ends with `signal` or the connection. */
export async function* natsEvents(
  bus: NatsRequests,
  label: string,
  topic: WatchTopic,
  signal: AbortSignal | undefined,
): AsyncGenerator<AgentEvent> {
  if (signal?.aborted === true) return;
  const subject = topic === "interfaces" ? interfaceStateSubject(label) : eventSubject(label, EVENTS[topic]);
  const subscription = bus.connection.subscribe(subject);
  const end = (): void => subscription.unsubscribe();
  signal?.addEventListener("abort", end, { once: true });
  try {
    const known = new Set<string>();
    // The subscription stands already, so that no change falls between the last states and the first notification.
    await bus.connection.flush();
    for (const event of topic === "interfaces" ? await lastStatesIfKept(bus, label) : []) {
      known.add(event.id);
      yield event;
    }
    for await (const message of subscription) {
      const event = toEvent(message);
      if (event !== undefined && !(event.id !== "" && known.delete(event.id))) yield event;
    }
  } finally {
    signal?.removeEventListener("abort", end);
    end();
  }
}
