import type { IncomingMessage } from "node:http";
import test from "ava";
import { type ServerSentEvent, serverSentEvents } from "#cli/server-sent-events.js";
import { interfaceChange, localAgent } from "./local-agent.js";

interface CloudEvent {
  readonly type: string;
  readonly subject: string;
  readonly data: { readonly state?: unknown };
}

/** Reads a stream until `enough` says so. */
async function readUntil(
  stream: IncomingMessage,
  enough: (event: ServerSentEvent) => boolean,
): Promise<readonly ServerSentEvent[]> {
  stream.setEncoding("utf8");
  const events: ServerSentEvent[] = [];
  for await (const event of serverSentEvents(stream)) {
    events.push(event);
    if (enough(event)) break;
  }
  return events;
}

function parse({ data }: ServerSentEvent | undefined = { event: "", data: "{}" }): CloudEvent {
  return JSON.parse(data);
}

test("a stream begins with the interfaces as they are, and goes on with what happens", async (t) => {
  const { open, send, tell } = await localAgent(t);
  tell("eth7", "DOWN");
  tell("eth7", "UP");
  const stream = await open("/v1/events");
  t.regex(stream.headers["content-type"] ?? "", /^text\/event-stream/);
  await send("POST", "/v1/transactions", { id: "e", changes: [interfaceChange("eth8")] });
  const events = await readUntil(stream, ({ event }) => event === "transaction");
  t.is(events[0]?.event, "interface");
  t.like(parse(events[0]), {
    specversion: "1.0",
    source: "/tenuto/t1",
    type: "io.tenuto.interface.state",
    subject: "eth7",
    data: { state: { oper_status: "UP" } },
  });
  t.true(events.some(({ event }) => event === "value"));
  t.like(parse(events.at(-1)), { type: "io.tenuto.transaction.finished", data: { id: "e", outcome: "APPLIED" } });
});

test("a stream of some kinds has nothing else", async (t) => {
  const { open, send, tell } = await localAgent(t);
  tell("eth7", "UP");
  const stream = await open("/v1/events?kind=transaction&kind=health");
  await send("POST", "/v1/transactions", { changes: [interfaceChange("eth8")] });
  const events = await readUntil(stream, ({ event }) => event === "transaction");
  t.deepEqual(
    events.map(({ event }) => event),
    ["transaction"],
  );
});

test("a kind that does not exist is refused with those that do", async (t) => {
  const { ask } = await localAgent(t);
  const answer = await ask("GET", "/v1/events?kind=weather");
  t.is(answer.status, 400);
  t.regex(answer.text, /weather.*interface, value, transaction/);
});

test("streams end when the agent closes, so that they do not hold it up", async (t) => {
  const { agent, open } = await localAgent(t);
  const stream = await open("/v1/events");
  const ended = readUntil(stream, () => false);
  await agent.close();
  await t.notThrowsAsync(ended);
});

test("a reader that does not read is disconnected, and costs the agent no more than its backlog", async (t) => {
  const { agent, open, tell } = await localAgent(t);
  const stream = await open("/v1/events?kind=interface");
  const closed = new Promise((resolve) => stream.once("close", resolve));
  stream.on("error", () => undefined);
  const name = "x".repeat(64 * 1024);
  for (let told = 0; told < 200; told += 1) tell(name, "UP");
  await closed;
  t.truthy(agent);
});
