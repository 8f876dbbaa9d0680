/** Clients that take more than they should: whatever they do, the next one is answered. */
import { connect, type Socket } from "node:net";
import { gzipSync } from "node:zlib";
import test, { type ExecutionContext } from "ava";
import { createLogRegistry } from "#core/logging/index.js";
import { EventStreams } from "#plugins/http/event-streams.js";
import { HttpReply } from "#plugins/http/exchange.js";
import { RouteTable } from "#plugins/http/route-table.js";
import { HttpServer } from "#plugins/http/server.js";
import { eventually } from "#test/support/eventually.js";
import { exchange } from "./local-agent.js";

const LIST = Array.from({ length: 110_000 }, (_, index) => ({
  key: `config/linux/l3/v2/route/${index}`,
  state: "CONFIGURED",
}));
const GET_LIST = "GET /list HTTP/1.1\r\nhost: localhost\r\n\r\n";

async function serving(t: ExecutionContext, longestDownload = 60_000): Promise<number> {
  const log = createLogRegistry({ label: "t", level: "silent", levels: {}, format: "json" }).logger("http");
  const streams = new EventStreams();
  const routes = new RouteTable();
  routes.get("/liveness", () => ({ live: true }));
  routes.get("/list", () => LIST);
  routes.post("/echo", ({ body }) => ({ bytes: body.length }));
  routes.get("/events", () => {
    streams.admit();
    return HttpReply.stream((response) => streams.open(response, []));
  });
  const server = new HttpServer(routes, { log, maxBodyBytes: 1_000_000, longestDownload });
  t.teardown(async () => {
    streams.close();
    await server.close();
  });
  const bound = await server.listen({ host: "127.0.0.1", port: 0 });
  if (typeof bound !== "object" || bound === null) throw new Error("no port");
  return bound.port;
}

interface Client {
  readonly socket: Socket;
  /** The beginning of what came, as far as it was read. */
  said: string;
}

/** Clients that send this, and read no more than the beginning of an answer. */
async function clients(t: ExecutionContext, port: number, count: number, sent: string | Buffer): Promise<Client[]> {
  const all = Array.from({ length: count }, (): Client => {
    const client: Client = { socket: connect({ port, host: "127.0.0.1" }), said: "" };
    client.socket.on("error", () => undefined);
    client.socket.once("data", (data) => {
      client.said = data.toString("latin1", 0, 200);
      client.socket.pause();
    });
    client.socket.write(sent);
    return client;
  });
  t.teardown(() => {
    for (const { socket } of all) socket.destroy();
  });
  await eventually(() => all.every(({ socket }) => !socket.connecting), { what: "the connections" });
  return all;
}

interface Scenario {
  readonly count: number;
  readonly sent: string | Buffer;
  /** So many are answered so. */
  readonly answered?: readonly [pattern: RegExp, atLeast: number];
}

const body = gzipSync(Buffer.alloc(100_000));
const SCENARIOS: Readonly<Record<string, Scenario>> = {
  "connections without a word": { count: 600, sent: "" },
  "headers that do not end": { count: 600, sent: "GET /liveness HTTP/1.1\r\nhost: localhost\r\nx-more: " },
  "bodies that do not come": {
    count: 600,
    sent: "POST /echo HTTP/1.1\r\nhost: localhost\r\ncontent-length: 999\r\n\r\n",
  },
  "large answers that nobody reads": { count: 40, sent: GET_LIST, answered: [/^HTTP\/1.1 503 /, 32] },
  "readers of events": {
    count: 300,
    sent: "GET /events HTTP/1.1\r\nhost: localhost\r\n\r\n",
    answered: [/^HTTP\/1.1 503 /, 44],
  },
  "a flood of headers": {
    count: 20,
    sent: `GET /liveness HTTP/1.1\r\nhost: localhost\r\n${"x-flood: 1234567890\r\n".repeat(5_000)}\r\n`,
    answered: [/^HTTP\/1.1 431 /, 20],
  },
  "a compressed body": {
    count: 1,
    sent: Buffer.concat([
      Buffer.from(`POST /echo HTTP/1.1\r\nhost: a\r\ncontent-encoding: gzip\r\ncontent-length: ${body.length}\r\n\r\n`),
      body,
    ]),
    answered: [/^HTTP\/1.1 415 /, 1],
  },
};

for (const [name, { count, sent, answered }] of Object.entries(SCENARIOS)) {
  test(`the next client is served whatever others do: ${name}`, async (t) => {
    const port = await serving(t);
    const all = await clients(t, port, count, sent);
    if (answered !== undefined) {
      const [pattern, atLeast] = answered;
      await eventually(() => all.filter(({ said }) => pattern.test(said)).length >= atLeast, { what: String(pattern) });
    }
    t.is((await exchange({ port, path: "/liveness" })).status, 200);
  });
}

test("who does not take an answer is disconnected after a time, and others may have one again", async (t) => {
  const port = await serving(t, 100);
  const all = await clients(t, port, 8, GET_LIST);
  await eventually(async () => (await exchange({ port, path: "/list" })).status === 200, { what: "a place" });
  for (const { socket } of all) socket.resume();
  await eventually(() => all.every(({ socket }) => socket.destroyed), { what: "the others to be dropped" });
  t.pass();
});

test("a long answer is what it would be in one piece", async (t) => {
  const port = await serving(t);
  t.deepEqual((await exchange({ port, path: "/list" })).json(), LIST);
  t.is((await exchange({ port, path: "/list", method: "HEAD" })).status, 200);
});
