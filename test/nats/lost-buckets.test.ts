/** A bucket that comes back with less than it had: what is kept, what is given up, and what is said of it. */
import { cp, mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { type ExecutionContext } from "ava";
import { headers, type JetStreamManager, type KV, type NatsConnection } from "nats";
import { connectNats } from "#client/index.js";
import { Health } from "#core/health/types.js";
import { Northbound } from "#core/northbound/index.js";
import { configBucketKey } from "#proto/nats.js";
import type { Broker } from "#test/support/brokers.js";
import { eventually } from "#test/support/eventually.js";
import { type BusAgent, type BusAgentOptions, broker, bus, busAgent, dummy, vethKey } from "./support/agent.js";

const BUCKET = "tenuto-config";
const STREAM = `KV_${BUCKET}`;
const LABEL = "h1";
const FAST = { bucket_check: "100ms" };

interface Scene {
  readonly server: Broker;
  /** JetStream's data, and a copy of it from before the last values were written. */
  readonly data: string;
  readonly earlier: string;
  readonly connection: NatsConnection;
  readonly manager: JetStreamManager;
  /** Ends the broker, and starts it again afterwards. */
  whileStopped(change: () => Promise<void>): Promise<void>;
  bucket(): Promise<KV>;
  put(...names: readonly string[]): Promise<void>;
  delete(name: string): Promise<void>;
  purge(name: string): Promise<void>;
}

function subjectOf(name: string): string {
  return `$KV.${BUCKET}.${configBucketKey(LABEL, vethKey(name))}`;
}

async function directory(t: ExecutionContext): Promise<string> {
  const made = await mkdtemp(join(tmpdir(), "tenuto-lost-"));
  t.teardown(() => rm(made, { recursive: true, force: true }));
  return made;
}

async function scene(t: ExecutionContext): Promise<Scene> {
  const [data, earlier] = [await directory(t), await directory(t)];
  const server = await broker(t, { storeDirectory: data });
  let connection = await bus(t, server.url);
  let manager = await connection.jetstreamManager();
  const open = (): Promise<KV> => connection.jetstream().views.kv(BUCKET, { history: 1 });
  // Again, for when the agent makes it in the same moment.
  const bucket = (): Promise<KV> => open().catch(open);
  return {
    server,
    data,
    earlier,
    get connection() {
      return connection;
    },
    get manager() {
      return manager;
    },
    bucket,
    async whileStopped(change) {
      await connection.close();
      await server.kill();
      await change();
      await server.restart();
      connection = await bus(t, server.url);
      manager = await connection.jetstreamManager();
    },
    async put(...names) {
      const kv = await bucket();
      for (const name of names) await kv.put(configBucketKey(LABEL, vethKey(name)), JSON.stringify(dummy(name).value));
    },
    async delete(name) {
      await (await bucket()).delete(configBucketKey(LABEL, vethKey(name)));
    },
    async purge(name) {
      await manager.streams.purge(STREAM, { filter: subjectOf(name) });
    },
  };
}

async function setBack(scene: Scene): Promise<void> {
  await scene.whileStopped(async () => {
    await rm(scene.data, { recursive: true });
    await cp(scene.earlier, scene.data, { recursive: true });
  });
}

async function loseBlocks(scene: Scene): Promise<void> {
  await scene.whileStopped(async () => {
    const files = await readdir(scene.data, { recursive: true, withFileTypes: true });
    const blocks = files.filter(
      ({ name, parentPath }) => /\.(blk|db)$/.test(name) && parentPath.includes(`${STREAM}/msgs`),
    );
    for (const { name, parentPath } of blocks) await rm(join(parentPath, name));
  });
}

async function expectSettings(scene: Scene, settings: object): Promise<void> {
  await scene.manager.streams.update(STREAM, settings);
}

/** A marker as servers from 2.11 leave it when they remove the last message of a subject. */
async function serverMarker({ connection }: Scene, name: string, reason: string): Promise<void> {
  const head = headers();
  head.set("Nats-Marker-Reason", reason);
  await connection.jetstream().publish(subjectOf(name), "", { headers: head });
}

interface Loss {
  readonly title: string;
  readonly damage: (scene: Scene) => Promise<void>;
  /** Values at the end; a, b and c were there before, c as the last. */
  readonly end: readonly string[];
  /** What is said of those that are kept; nothing: nothing is. */
  readonly told?: RegExp;
  readonly nats?: object;
  /** When the agent is there, or has been stopped; both when left out. */
  readonly only?: "connected" | "off";
}

const ALL = ["a", "b", "c"];

const LOSSES: readonly Loss[] = [
  { title: "nothing happens", damage: async () => undefined, end: ALL },
  {
    title: "a value is deleted, and its delete marker is purged",
    damage: async (at) => {
      await at.delete("a");
      await at.purge("a");
    },
    end: ["b", "c"],
    only: "off",
  },
  {
    title: "a value is purged from the stream without a delete",
    damage: (at) => at.purge("a"),
    end: ALL,
    told: /vanished|nobody deleted/,
  },
  {
    title: "the stream is purged, and one value is written again",
    damage: async (at) => {
      await at.manager.streams.purge(STREAM);
      await at.put("b", "d");
    },
    end: [...ALL, "d"],
    told: /record of this agent/,
  },
  {
    title: "the bucket is deleted and made anew",
    damage: async (at) => {
      await at.manager.streams.delete(STREAM);
      await at.put("b", "d");
      await at.put("d");
    },
    end: [...ALL, "d"],
    told: /made anew|is another one|is gone/,
  },
  {
    title: "the broker's disk is set back",
    damage: setBack,
    end: [...ALL, "deleted"],
    told: /went back from revision|set back/,
  },
  {
    title: "the broker's disk is set back, and written to beyond what was read",
    damage: async (at) => {
      await setBack(at);
      for (let time = 0; time < 8; time += 1) await at.put("d");
    },
    end: [...ALL, "d", "deleted"],
    told: /another record|set back|went back|lost the record/,
    only: "off",
  },
  {
    title: "the blocks of the stream are lost",
    damage: async (at) => {
      await loseBlocks(at);
      await at.put("d");
    },
    end: [...ALL, "d"],
    told: /went back|lost|made/,
  },
  {
    title: "values expire by the bucket's max_age",
    damage: async (at) => {
      await expectSettings(at, { max_age: 100e6, duplicate_window: 100e6 });
      await eventually(async () => (await at.manager.streams.info(STREAM)).state.messages === 0);
    },
    end: ALL,
    told: /lost|expire/,
  },
  {
    title: "the bucket discards its oldest values",
    damage: async (at) => {
      await expectSettings(at, { max_msgs: 2, discard: "old" });
    },
    end: ALL,
    told: /vanished|discards|lost/,
  },
  {
    title: "the server says that the time of a value is over, and that another was purged",
    damage: async (at) => {
      await serverMarker(at, "a", "MaxAge");
      await serverMarker(at, "b", "Purge");
    },
    end: ["a", "c"],
    told: /expire/,
  },
  {
    title: "the bucket is made anew, and somebody says that it is complete",
    damage: async (at) => {
      await at.manager.streams.delete(STREAM);
      await at.put("b", "d");
      const client = await connectNats({ servers: at.server.url, label: LABEL });
      await client.desired.markComplete();
      await client.close();
    },
    end: ["b", "d"],
  },
  {
    title: "the bucket is said to be complete with more values than it has",
    damage: async (at) => {
      await at.manager.streams.purge(STREAM);
      await at.put("b");
      await (await at.bucket()).put(`${LABEL}.tenuto/complete`, JSON.stringify({ values: 2 }));
    },
    end: ALL,
    told: /record of this agent/,
  },
  {
    title: "the stream is purged, and absence is configured to mean a delete",
    damage: async (at) => {
      await at.manager.streams.purge(STREAM);
      await at.put("b");
    },
    end: ["b"],
    nats: { missing: "remove" },
  },
  {
    title: "a value is deleted in a bucket that was set back, and another is older than the delete that was read",
    damage: async (at) => {
      await setBack(at);
      await at.put("d");
      await at.delete("a");
    },
    end: ["b", "c", "d", "deleted"],
    told: /set back|went back|another record|lost the record/,
    only: "off",
  },
];

function desired({ agent }: BusAgent): readonly string[] {
  const values = agent.get(Northbound).get();
  return values.map(({ key }) => key.split("/").at(-1)!).toSorted();
}

function saidOf({ agent }: BusAgent): string {
  const health = agent
    .get(Health)
    .plugins()
    .find(({ plugin }) => plugin === "orchestrator");
  return health?.state === "ok" ? "" : (health?.reason ?? "");
}

/** The record in the bucket covers everything that was written before, and the agent knows that it is there. */
async function recorded(at: Scene): Promise<void> {
  await eventually(
    async () => {
      const entry = await (await at.bucket()).get(`${LABEL}.tenuto/epoch`);
      const last = await (await at.bucket()).get(configBucketKey(LABEL, vethKey("c")));
      return entry !== null && last !== null && entry.revision > last.revision;
    },
    { what: "the record of what was read" },
  );
}

for (const when of ["connected", "off"] as const) {
  for (const loss of LOSSES) {
    if (loss.only !== undefined && loss.only !== when) continue;
    test(`${when}: ${loss.title}`, async (t) => {
      const at = await scene(t);
      const options: BusAgentOptions = {
        label: LABEL,
        nats: { url: at.server.url, ...FAST, ...loss.nats },
        configuration: { store: { directory: join(await directory(t), "store") } },
      };
      await at.put("a", "deleted");
      await at.delete("deleted");
      await at.put("deleted", "gone");
      await at.delete("gone");
      let agent = await busAgent(t, options);
      await eventually(() => desired(agent).join() === "a,deleted");
      await at.whileStopped(() => cp(at.data, at.earlier, { recursive: true }));
      await at.delete("deleted");
      await at.put("b", "c");
      await eventually(() => desired(agent).join() === ALL.join());
      await recorded(at);

      if (when === "off") await agent.close();
      await loss.damage(at);
      if (when === "off") agent = await busAgent(t, options);
      const { told } = loss;
      await eventually(
        () => {
          const found = `${desired(agent).join()} ${saidOf(agent)}`;
          const fits = desired(agent).join() === loss.end.join() && (told?.test(saidOf(agent)) ?? saidOf(agent) === "");
          if (!fits) throw new Error(found);
          return true;
        },
        { what: `${loss.end.join()}, told as ${told}`, timeout: 60_000 },
      );
      await at.put("later");
      await eventually(() => desired(agent).includes("later"));
      t.deepEqual(desired(agent), [...loss.end, "later"].toSorted());
    });
  }
}
