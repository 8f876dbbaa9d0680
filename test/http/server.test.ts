import { once } from "node:events";
import { Agent as KeptConnections, request } from "node:http";
import { connect } from "node:net";
import { text } from "node:stream/consumers";
import test, { type ExecutionContext } from "ava";
import { createLogRegistry } from "#core/logging/index.js";
import type { Handler } from "#plugins/http/exchange.js";
import { HttpReply } from "#plugins/http/exchange.js";
import { RouteTable } from "#plugins/http/route-table.js";
import { HttpServer } from "#plugins/http/server.js";
import { exchange } from "./local-agent.js";

const maxBodyBytes = 1000;

/** A server on a TCP port of its own. */
async function serving(t: ExecutionContext, routes: RouteTable): Promise<{ server: HttpServer; port: number }> {
  const log = createLogRegistry({ label: "t", level: "silent", levels: {}, format: "json" }).logger("http");
  const server = new HttpServer(routes, { log, maxBodyBytes });
  t.teardown(() => server.close());
  const bound = await server.listen({ host: "127.0.0.1", port: 0 });
  if (typeof bound !== "object" || bound === null) throw new Error("no port");
  return { server, port: bound.port };
}

function tableWith(path: string, handle: Handler<string>): RouteTable {
  const table = new RouteTable();
  table.get(path, handle);
  table.post(path, handle);
  return table;
}

const PATHS = [
  { path: "/a/:one/b", asked: "/a/x%2Fy%20z/b", params: { one: "x/y z" } },
  { path: "/a/:one/:two", asked: "/a/x/b", params: { one: "x", two: "b" } },
  { path: "/a/*rest", asked: "/a/b/c%3Fd", params: { rest: "b/c?d" } },
  { path: "/a/*rest", asked: "/a/", params: undefined },
  { path: "/a/*rest", asked: "/a", params: undefined },
  { path: "/a/:one", asked: "/a/", params: undefined },
  { path: "/a/:one", asked: "/a/x/", params: undefined },
  { path: "/a", asked: "/A", params: undefined },
  { path: "/", asked: "/", params: {} },
] as const;

for (const { path, asked, params } of PATHS) {
  test(`route ${path} ${params === undefined ? "does not fit" : "fits"} ${asked}`, (t) => {
    t.deepEqual(tableWith(path, () => null).find("GET", asked)?.params, params);
  });
}

test("the same route cannot be there twice", (t) => {
  const table = tableWith("/a", () => null);
  t.throws(() => table.get("/a", () => null), { code: "ROUTE_TWICE" });
});

test("a path that cannot be decoded is refused with 400", async (t) => {
  const { port } = await serving(
    t,
    tableWith("/a/:one", ({ params }) => params),
  );
  const answer = await exchange({ port, path: "/a/%zz" });
  t.is(answer.status, 400);
  t.is(answer.json<{ error: { code: string } }>().error.code, "BAD_PATH");
});

test("HEAD is answered as GET, without the body", async (t) => {
  const { port } = await serving(
    t,
    tableWith("/a", () => HttpReply.of("text/plain", "four")),
  );
  const { status, headers, text: body } = await exchange({ port, path: "/a", method: "HEAD" });
  t.is(status, 200);
  t.is(headers["content-length"], "4");
  t.is(body, "");
});

test("a body of unknown length that becomes too large is refused with 413", async (t) => {
  const { port } = await serving(
    t,
    tableWith("/a", () => null),
  );
  const outgoing = request({ port, path: "/a", method: "POST" });
  outgoing.write("x".repeat(maxBodyBytes));
  outgoing.write("x");
  const [response] = await once(outgoing, "response");
  t.is(response.statusCode, 413);
  t.is(response.headers.connection, "close");
  t.regex(await text(response), /BODY_TOO_LARGE/);
  outgoing.destroy();
});

test("what is no error of ours is answered with 500, and the next request on the connection with 200", async (t) => {
  const table = tableWith("/fails", () => {
    throw new RangeError("out of range");
  });
  table.get("/works", () => ({ well: true }));
  const { port } = await serving(t, table);
  const agent = new KeptConnections({ keepAlive: true, maxSockets: 1 });
  t.teardown(() => agent.destroy());
  const ask = async (path: string): Promise<[number | undefined, string]> => {
    const outgoing = request({ port, path, agent }).end();
    const [response] = await once(outgoing, "response");
    return [response.statusCode, await text(response)];
  };
  t.deepEqual(await ask("/fails"), [500, '{"error":{"code":"BUG","message":"out of range"}}']);
  t.deepEqual(await ask("/works"), [200, '{"well":true}']);
});

test("a client that hangs up in the middle of a request harms nobody", async (t) => {
  const { port } = await serving(
    t,
    tableWith("/a", ({ body }) => ({ length: body.length })),
  );
  const client = connect(port, "127.0.0.1");
  await once(client, "connect");
  client.write("POST /a HTTP/1.1\r\nhost: localhost\r\ncontent-length: 100\r\n\r\nhalf");
  client.destroy();
  await once(client, "close");
  t.deepEqual((await exchange({ port, path: "/a", method: "POST" }, { body: "four" })).json(), { length: 4 });
});

test("a request that is under way is answered before the server has closed, and its connection ends", async (t) => {
  let finish = (): void => undefined;
  const held = new Promise<void>((resolve) => {
    finish = resolve;
  });
  let begun = (): void => undefined;
  const started = new Promise<void>((resolve) => {
    begun = resolve;
  });
  const { server, port } = await serving(
    t,
    tableWith("/slow", async () => {
      begun();
      await held;
      return { done: true };
    }),
  );
  const answer = exchange({ port, path: "/slow" });
  await started;
  const closed = server.close();
  finish();
  const { headers, text: body } = await answer;
  t.is(headers.connection, "close");
  t.is(body, '{"done":true}');
  await closed;
});
