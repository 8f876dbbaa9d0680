import { CONTENT_TYPE } from "#core/model/types.js";
import type { RequestGroup } from "#core/northbound/index.js";
import { TOPICS } from "#proto/kafka.js";
import type { ConfigRequest, EventSubject } from "#proto/nats.js";
import { type JsonSchema, messageSchemas, refTo } from "./message-schemas.js";

interface Exchange {
  readonly message: string;
  readonly reply: string;
}

const RESULT = "tenuto.v1.TransactionResult";
const NOTIFICATION = "ligato.linux.interfaces.InterfaceNotification";

const REQUESTS: Readonly<Record<ConfigRequest, Exchange>> = {
  commit: { message: "tenuto.v1.Transaction", reply: RESULT },
  confirm: { message: "tenuto.v1.ConfirmRequest", reply: RESULT },
  cancel: { message: "tenuto.v1.ConfirmRequest", reply: RESULT },
  get: { message: "tenuto.v1.GetRequest", reply: "tenuto.v1.KeyValueList" },
  dump: { message: "tenuto.v1.DumpRequest", reply: "tenuto.v1.KeyValueList" },
  resync: { message: "tenuto.v1.ResyncRequest", reply: RESULT },
  status: { message: "tenuto.v1.StatusRequest", reply: "tenuto.v1.StatusList" },
  history: { message: "tenuto.v1.HistoryRequest", reply: "tenuto.v1.HistoryList" },
};

const EVENTS: Readonly<Record<EventSubject, string>> = {
  value: "tenuto.v1.ValueStatus",
  drift: "tenuto.v1.Drift",
  transaction: RESULT,
  ifmgr: "tenuto.ifmgr.InterfaceEvent",
  health: "tenuto.v1.PluginHealth",
  deadletter: "tenuto.v1.DeadLetter",
};

/** Kafka's topics: which way, and what is in them. `value`: the message that the key of the record stands for. */
const KAFKA: readonly {
  readonly topic: keyof typeof TOPICS;
  readonly action: Action;
  readonly messages: readonly string[];
}[] = [
  { topic: "config", action: "receive", messages: ["value"] },
  { topic: "commands", action: "receive", messages: ["tenuto.v1.Transaction"] },
  { topic: "results", action: "send", messages: [RESULT] },
  { topic: "interfaceState", action: "send", messages: [NOTIFICATION] },
  { topic: "events", action: "send", messages: Object.values(EVENTS) },
  { topic: "deadLetter", action: "send", messages: ["value"] },
];

type Bus = "nats" | "kafka";
/** As the agent sees it. */
type Action = "receive" | "send";

const CLOUD_EVENT: JsonSchema = {
  type: "object",
  description: "CloudEvents 1.0, binary mode.",
  required: ["ce-specversion", "ce-id", "ce-source", "ce-type", "ce-time", "ce-subject"],
  properties: {
    "ce-specversion": { type: "string", const: "1.0" },
    "ce-id": { type: "string" },
    "ce-source": { type: "string", description: "/tenuto/<label>" },
    "ce-type": { type: "string", examples: ["io.tenuto.interface.state"] },
    "ce-time": { type: "string", format: "date-time" },
    "ce-subject": { type: "string", description: "Interface name, key, transaction id or plugin." },
  },
};

const VALUE: JsonSchema = { type: "object", description: "The message that the key stands for." };

/** What the agent says and takes on NATS and Kafka in AsyncAPI 3.0, with the requests of plugins. */
export function asyncApi(version: string, groups: readonly RequestGroup[]): object {
  const description = new Description();
  for (const [name, exchange] of Object.entries(REQUESTS)) description.request(`config.${name}`, exchange);
  for (const group of groups) {
    for (const [name, exchange] of Object.entries(group.requests))
      description.request(`${group.name}.${name}`, exchange);
  }
  description.flow("nats", "send", "tenuto.{label}.state.interface.{name}", [NOTIFICATION]);
  for (const [kind, message] of Object.entries(EVENTS))
    description.flow("nats", "send", `tenuto.{label}.event.${kind}`, [message]);
  for (const { topic, action, messages } of KAFKA) {
    description.flow("kafka", action, TOPICS[topic].replace("<label>", "{label}"), messages);
  }
  return description.document(version);
}

/** The document as it grows. */
class Description {
  private readonly channels: Record<string, object> = {};
  private readonly operations: Record<string, object> = {};
  private readonly messages = new Set<string>();

  /** A request on NATS with its answer. */
  request(name: string, { message, reply }: Exchange): void {
    const channel = this.channel("nats", `tenuto.{label}.${name}`, [message]);
    const answer = `reply.${name}`;
    this.channels[answer] = { address: null, servers: [{ $ref: "#/servers/nats" }], messages: this.refs([reply]) };
    this.operations[`nats.${name}`] = {
      action: "receive",
      channel: { $ref: `#/channels/${channel}` },
      reply: { channel: { $ref: `#/channels/${answer}` } },
    };
  }

  /** Messages that go one way. */
  flow(bus: Bus, action: Action, address: string, messages: readonly string[]): void {
    const channel = this.channel(bus, address, messages);
    this.operations[channel] = { action, channel: { $ref: `#/channels/${channel}` } };
  }

  document(version: string): object {
    const names = [...this.messages].filter((name) => name !== "value");
    return {
      asyncapi: "3.0.0",
      info: {
        title: "Tenuto agent",
        version,
        description: "Payloads are JSON, or protobuf where the content type says so.",
        license: { name: "Apache-2.0" },
      },
      defaultContentType: CONTENT_TYPE.json,
      servers: {
        nats: { host: "localhost:4222", protocol: "nats" },
        kafka: { host: "localhost:9092", protocol: "kafka" },
      },
      channels: this.channels,
      operations: this.operations,
      components: {
        messages: Object.fromEntries([...this.messages].map((name) => [name, messageObject(name)])),
        schemas: { ...messageSchemas(names), CloudEvent: CLOUD_EVENT, value: VALUE },
      },
    };
  }

  private channel(bus: Bus, address: string, messages: readonly string[]): string {
    const id = `${bus}.${address.replace(/[{}]/g, "")}`;
    const parameters = [...address.matchAll(/\{(\w+)\}/g)].map(([, name = ""]) => name);
    this.channels[id] = {
      address,
      servers: [{ $ref: `#/servers/${bus}` }],
      messages: this.refs(messages),
      ...(parameters.length === 0 ? {} : { parameters: described(parameters) }),
    };
    return id;
  }

  private refs(messages: readonly string[]): object {
    for (const name of messages) this.messages.add(name);
    return Object.fromEntries(messages.map((name) => [name, { $ref: `#/components/messages/${name}` }]));
  }
}

const PARAMETERS: Readonly<Record<string, string>> = {
  label: "The agent's name, escaped as one token.",
  name: "Name of the interface, escaped as one token.",
};

function described(parameters: readonly string[]): Readonly<Record<string, object>> {
  return Object.fromEntries(parameters.map((name) => [name, { description: PARAMETERS[name] }]));
}

function messageObject(name: string): object {
  const isEvent = name === NOTIFICATION || Object.values(EVENTS).includes(name);
  // A result is an event and an answer; only as an event it has these headers.
  const headers = isEvent && name !== RESULT ? { headers: refTo("CloudEvent") } : {};
  return { name, payload: refTo(name), ...headers };
}
