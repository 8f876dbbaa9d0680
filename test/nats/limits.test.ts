/** A broker whose messages are small: whatever the agent says fits, or says that it does not. */
import test from "ava";
import { connectNats } from "#client/index.js";
import { EventPublisher, RequestGroup } from "#core/northbound/index.js";
import { plugin, provide } from "#core/plugin/index.js";
import { interfaceKey } from "#proto/index.js";
import { eventually } from "#test/support/eventually.js";
import { broker, bus, busAgent, dummy } from "./support/agent.js";

const MAX_PAYLOAD = 32 * 1024;
const INTERFACES = Array.from({ length: 2_000 }, (_, index) => ({ name: `interface${index}` }));

@plugin({ name: "many", provides: [provide(RequestGroup, (many: ManyPlugin) => many.requests)] })
class ManyPlugin {
  readonly requests: RequestGroup = {
    name: "many",
    requests: {
      list: {
        message: "tenuto.ifmgr.InterfaceRequest",
        reply: "tenuto.ifmgr.InterfaceList",
        handle: () => ({ interfaces: INTERFACES }),
      },
      whole: {
        message: "tenuto.ifmgr.InterfaceRequest",
        reply: "tenuto.ifmgr.InterfaceStatus",
        handle: () => ({ name: "x".repeat(2 * MAX_PAYLOAD) }),
      },
    },
  };
}

test("answers of other plugins come in several messages, or say that they are too large", async (t) => {
  const server = await broker(t, { configuration: `max_payload: ${MAX_PAYLOAD}` });
  const agent = await busAgent(t, { nats: { url: server.url }, plugins: [ManyPlugin] });
  const client = await connectNats({ servers: server.url, label: agent.label, patience: 60_000 });
  t.teardown(() => client.close());
  t.deepEqual(await client.request("many", "list"), { interfaces: INTERFACES });
  await t.throwsAsync(client.request("many", "whole"), { code: "TOO_LARGE", message: /larger than a message/ });
});

test("events are cut to what a message may have, and say so", async (t) => {
  const server = await broker(t, { configuration: `max_payload: ${MAX_PAYLOAD}` });
  const agent = await busAgent(t, { nats: { url: server.url } });
  await eventually(() => agent.health().state === "ok");
  const connection = await bus(t, server.url);
  const events = new Map<string, object>();
  connection.subscribe(`tenuto.${agent.label}.event.*`, {
    callback: (_error, message) => void events.set(message.headers?.get("ce-subject") ?? "", message.json()),
  });
  await connection.flush();
  const client = await connectNats({ servers: server.url, label: agent.label });
  t.teardown(() => client.close());
  const changes = INTERFACES.map(({ name }) => dummy(name));
  t.like(await client.commit({ id: "large", changes }), { outcome: "APPLIED", truncated: true });
  t.like(await eventually(() => events.get("large")), { id: "large", outcome: "APPLIED", truncated: true });

  const letter = { key: "k", origin: "here", error: "no", payload: "\u0001".repeat(MAX_PAYLOAD) };
  agent.agent.get(EventPublisher).publish({ kind: "deadletter", origin: "here", data: letter });
  t.like(await eventually(() => events.get("here")), { key: "k", error: "no", truncated: true });
});

test("a reason that is too long for a message is cut, and the answer comes all the same", async (t) => {
  const server = await broker(t, { configuration: `max_payload: ${MAX_PAYLOAD}` });
  const agent = await busAgent(t, { nats: { url: server.url } });
  const client = await connectNats({ servers: server.url, label: agent.label, patience: 60_000 });
  t.teardown(() => client.close());
  const { key, value } = { key: interfaceKey("eth7"), value: { name: "eth7", ["x".repeat(MAX_PAYLOAD / 2)]: true } };
  const { outcome, truncated, error, values } = await client.commit({ id: "wordy", changes: [{ key, value }] });
  t.like({ outcome, truncated }, { outcome: "REJECTED", truncated: true });
  t.regex(error, /^config\/linux\/interfaces\/v2\/interface\/eth7: x+…$/);
  t.like(values[0], { key, state: "INVALID" });
});
