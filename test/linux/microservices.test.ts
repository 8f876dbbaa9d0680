import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer, type ServerResponse } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "ava";
import { eventually } from "#test/support/eventually.js";
import { declareMicroserviceTests } from "./support/microservice-stories.js";
import { NetworkAgent } from "./support/network.js";

declareMicroserviceTests("docker");

test("a conversation that breaks off is taken up again, and ends with the agent", async (t) => {
  const directory = await mkdtemp(join(tmpdir(), "tenuto-engine-"));
  const socketPath = join(directory, "engine.sock");
  const conversations: ServerResponse[] = [];
  // No engine breaks off when it is told to.
  const server = createServer((request, response) => {
    if (!request.url?.startsWith("/events")) return void response.end("[]");
    response.flushHeaders();
    conversations.push(response);
  });
  server.listen(socketPath);
  await once(server, "listening");
  const configuration = { container_sockets: [socketPath], engine_retry: "10ms" };
  const talking = await NetworkAgent.start("talking", { "linux-namespaces": configuration });
  await eventually(() => conversations.length === 1);
  conversations[0]?.write('{"Actor":{"ID":');
  conversations[0]?.destroy();
  await eventually(() => conversations.length === 2);
  await talking.close();
  t.true(await eventually(() => conversations[1]?.destroyed));
  server.close();
  await rm(directory, { recursive: true });
});
