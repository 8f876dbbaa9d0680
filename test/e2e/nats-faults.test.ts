/**
 * What may happen to a bus, for each way in: in the end the kernel has what was asked for before, during and after it, nothing is lost,
 * and nothing is removed that nobody deleted.
 */
import { cp, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "ava";
import { connect, headers, type NatsConnection } from "nats";
import { connectNats, type NatsClient } from "#client/index.js";
import { configBucketKey, requestSubject } from "#proto/nats.js";
import { type AgentProcess, agentProcess } from "#test/support/agent-process.js";
import { type Broker, startNats } from "#test/support/brokers.js";
import { eventually } from "#test/support/eventually.js";
import { links } from "#test/support/sandbox.js";
import { healthy } from "./support/claims.js";
import { FaultyLink } from "./support/faulty-link.js";
import { end } from "./support/stream.js";

const LABEL = "faulty";
const STREAM = "KV_tenuto-config";
const PATIENCE = 120_000;
const SLOW = 60;

let data: string;
let earlier: string;
let server: Broker;
let link: FaultyLink;
let agent: AgentProcess;
let client: NatsClient;

test.before(async () => {
  [data = "", earlier = ""] = await Promise.all([1, 2].map(() => mkdtemp(join(tmpdir(), "tenuto-faults-"))));
  server = await startNats({ storeDirectory: data });
  link = await FaultyLink.to(Number(new URL(server.url).port));
  const nats = { reconnect_min: "20ms", reconnect_max: "100ms", bucket_check: "100ms" };
  const args = ["--nats", `nats://127.0.0.1:${link.port}`];
  agent = await agentProcess({ label: LABEL, flavor: "nats", args, configuration: { nats }, until: "alive" });
  await healthy(agent);
  client = await connectNats({ servers: server.url, label: LABEL, timeout: PATIENCE, patience: PATIENCE });
});

test.after.always(async () => {
  await client?.close();
  await agent?.stop();
  link?.close();
  await server?.stop();
  for (const directory of [data, earlier]) if (directory) await rm(directory, { recursive: true, force: true });
});

interface Way {
  readonly name: string;
  set(name: string): Promise<void>;
  delete(name: string): Promise<void>;
}

function pair(name: string): readonly { readonly key: string; readonly value: object }[] {
  return [end(name, `${name}-p`), end(`${name}-p`, name)];
}

/** A write to the bucket that got no answer is made again. */
async function insist(write: () => Promise<void>): Promise<void> {
  await eventually(() => write().then(() => true), { timeout: PATIENCE });
}

const WAYS: readonly Way[] = [
  {
    name: "request",
    set: async (name) => void (await client.commit({ changes: pair(name) })),
    delete: async (name) =>
      void (await client.commit({ changes: pair(name).map(({ key }) => ({ key, delete: true })) })),
  },
  {
    name: "bucket",
    async set(name) {
      for (const { key, value } of pair(name)) await insist(() => client.desired.put(key, value));
    },
    async delete(name) {
      for (const { key } of pair(name)) await insist(() => client.desired.delete(key));
    },
  },
];

interface Fault {
  readonly name: string;
  /** Before anything is asked for. */
  prepare?(): Promise<void>;
  /** Begins; what it returns ends it. `name` was set before it. */
  begin(bus: NatsConnection, name: string): Promise<() => Promise<void> | void>;
  /** Sends what is asked for during it in another way than the way's own. */
  send?(bus: NatsConnection, way: Way, name: string): Promise<void>;
}

const nothing = (): void => undefined;

async function whileStopped(change: () => Promise<void>): Promise<void> {
  await server.kill();
  await change();
  await server.restart();
}

async function part(bus: NatsConnection, id: string, position: string, change: object): Promise<void> {
  const head = headers();
  head.set("tenuto-part", position);
  const text = JSON.stringify({ id, changes: [change] });
  await bus.request(requestSubject(LABEL, "commit"), text, { headers: head, timeout: PATIENCE });
}

const FAULTS: readonly Fault[] = [
  {
    name: "cut",
    begin: async () => {
      link.cut();
      await eventually(async () =>
        JSON.stringify((await agent.request("GET", "/readiness")).body).includes("cannot be reached"),
      );
      return () => link.mend();
    },
  },
  {
    name: "slow",
    begin: async () => {
      link.slow(SLOW);
      return () => link.mend();
    },
  },
  {
    name: "duplicate",
    begin: async () => nothing,
    async send(bus, way, name) {
      const text = JSON.stringify({ id: `twice-${name}`, changes: pair(name) });
      const commit = () => bus.request(requestSubject(LABEL, "commit"), text, { timeout: PATIENCE });
      if (way.name === "request") await Promise.all([commit(), commit()]);
      else for (let time = 0; time < 2; time += 1) await way.set(name);
    },
  },
  {
    name: "reordered",
    begin: async () => nothing,
    async send(bus, way, name) {
      const [first = {}, second = {}] = pair(name);
      if (way.name === "request") {
        await Promise.all([part(bus, `parts-${name}`, "2/2", second), part(bus, `parts-${name}`, "1/2", first)]);
        return;
      }
      for (const { key, value } of pair(name).toReversed()) await client.desired.put(key, value);
    },
  },
  {
    name: "purged",
    async begin(bus) {
      await (await bus.jetstreamManager()).streams.purge(STREAM);
      return nothing;
    },
  },
  {
    name: "set back",
    prepare: () =>
      whileStopped(async () => {
        await rm(earlier, { recursive: true, force: true });
        await cp(data, earlier, { recursive: true });
      }),
    async begin() {
      await whileStopped(async () => {
        await rm(data, { recursive: true });
        await cp(earlier, data, { recursive: true });
      });
      return nothing;
    },
  },
  {
    name: "made anew",
    async begin(bus) {
      await (await bus.jetstreamManager()).streams.delete(STREAM);
      return nothing;
    },
  },
  {
    name: "expired",
    async begin(bus, name) {
      const head = headers();
      head.set("Nats-Marker-Reason", "MaxAge");
      for (const { key } of pair(name)) {
        const subject = `$KV.tenuto-config.${configBucketKey(LABEL, key)}`;
        await insist(() => bus.jetstream().publish(subject, "", { headers: head }).then(nothing));
      }
      return nothing;
    },
  },
];

async function inKernel(): Promise<string> {
  const names = (await links()).map(({ ifname }) => ifname).filter((name) => /^f\d/.test(name));
  return names.toSorted().join();
}

test("every way in × every fault of the bus: the kernel has what was asked for, and nothing is removed", async (t) => {
  t.timeout(4 * PATIENCE);
  const expected = new Set<string>();
  const settled = async (what: string): Promise<void> => {
    const names = [...expected].flatMap((name) => [name, `${name}-p`]);
    await eventually(
      async () => {
        const found = await inKernel();
        if (found !== names.toSorted().join())
          throw new Error(`there is ${found}, expected ${names.toSorted().join()}`);
        return true;
      },
      { what, timeout: PATIENCE },
    );
  };
  let row = 0;
  for (const fault of FAULTS) {
    for (const way of WAYS) {
      row += 1;
      const what = `${way.name} × ${fault.name}`;
      await fault.prepare?.();
      const bus = await connect({ servers: server.url, reconnectTimeWait: 20, maxReconnectAttempts: -1 });
      await way.set(`f${row}a`);
      expected.add(`f${row}a`);
      await settled(`${what}: before`);
      const mend = await fault.begin(bus, `f${row}a`);
      const during = fault.send?.(bus, way, `f${row}b`) ?? way.set(`f${row}b`);
      // A request is only answered when the agent can be reached again.
      if (way.name === "bucket") await during;
      await mend();
      await during;
      expected.add(`f${row}b`);
      await settled(`${what}: after`);
      await way.delete(`f${row}b`);
      expected.delete(`f${row}b`);
      await settled(`${what}: a delete`);
      await bus.close();
    }
  }
  t.is(row, WAYS.length * FAULTS.length);
});
