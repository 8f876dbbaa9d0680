/** How a bucket may lose what it had, and what an agent makes of it. */
import { cp, mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ExecutionContext } from "ava";
import { headers, type JetStreamManager, type KV, type NatsConnection } from "nats";
import { connectNats } from "#client/index.js";
import { configBucketKey } from "#proto/nats.js";
import type { Broker } from "#test/support/brokers.js";
import { eventually } from "#test/support/eventually.js";
import { broker, bus, dummy, vethKey } from "./agent.js";

const BUCKET = "tenuto-config";
const STREAM = `KV_${BUCKET}`;
export const LABEL = "h1";
export const FAST = { bucket_check: "100ms" };

export interface Scene {
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
  /** The bucket is deleted, and there again without anything if an agent is connected, which makes it anew. */
  lose(): Promise<void>;
}

function subjectOf(name: string): string {
  return `$KV.${BUCKET}.${configBucketKey(LABEL, vethKey(name))}`;
}

export async function directory(t: ExecutionContext): Promise<string> {
  const made = await mkdtemp(join(tmpdir(), "tenuto-lost-"));
  t.teardown(() => rm(made, { recursive: true, force: true }));
  return made;
}

/** For an agent that may not write its record. */
const READ_ONLY = `authorization { users: [ { user: admin, password: x }
  { user: agent, password: x, permissions: { publish: { deny: "$KV.${BUCKET}.${LABEL}.tenuto/epoch" } } } ] }`;
const ADMIN = { user: "admin", pass: "x" };

/** @param connected an agent is there while the bucket loses something. */
export async function scene(t: ExecutionContext, readOnly: boolean, connected: boolean): Promise<Scene> {
  const [data, earlier] = [await directory(t), await directory(t)];
  const server = await broker(t, { storeDirectory: data, ...(readOnly ? { configuration: READ_ONLY } : {}) });
  const login = readOnly ? ADMIN : {};
  let connection = await bus(t, server.url, login);
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
      connection = await bus(t, server.url, login);
      manager = await connection.jetstreamManager();
    },
    async put(...names) {
      const kv = await bucket();
      for (const name of names) await kv.put(configBucketKey(LABEL, vethKey(name)), JSON.stringify(dummy(name).value));
    },
    async delete(name) {
      await (await bucket()).delete(configBucketKey(LABEL, vethKey(name)));
    },
    async lose() {
      await manager.streams.delete(STREAM);
      // Of two who make a stream in the same moment, one may remove the other's files (nats-server 2.9).
      if (connected)
        await eventually(() => manager.streams.info(STREAM), { what: "the agent to make the bucket anew" });
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

export interface Loss {
  readonly title: string;
  readonly damage: (scene: Scene) => Promise<void>;
  /** Values at the end; a, b and c were there before, c as the last. */
  readonly end: readonly string[];
  /** What is said of those that are kept; nothing: nothing is. */
  readonly told?: RegExp;
  readonly nats?: object;
  /** When the agent is there, or has been stopped; both when left out. */
  readonly only?: "connected" | "off";
  /** The agent may not write its record. */
  readonly readOnly?: true;
}

export const ALL = ["a", "b", "c"];

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
      await at.lose();
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
      // What is written from now on must live until the agent has got to it.
      await expectSettings(at, { max_age: 3600e9, duplicate_window: 100e6 });
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
      await at.lose();
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

const WITHOUT_RECORD: readonly Loss[] = [
  { title: "nobody writes to the bucket, and the agent has no record in it", damage: async () => undefined, end: ALL },
  {
    title: "a value is deleted, its delete marker is purged, and the agent has no record in it",
    damage: async (at) => {
      await at.delete("a");
      await at.purge("a");
    },
    end: ALL,
    told: /nothing of ours/,
    only: "off",
  },
  {
    title: "the bucket is made anew, and the agent has no record in it",
    damage: async (at) => {
      await at.lose();
      await at.put("d");
    },
    end: [...ALL, "d"],
    told: /made anew|is another one|is gone/,
  },
];
export const ALL_LOSSES: readonly Loss[] = [
  ...LOSSES,
  ...WITHOUT_RECORD.map((loss) => ({ ...loss, readOnly: true as const })),
];
