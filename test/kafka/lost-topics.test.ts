/** A topic of desired state that comes back with less than it had: what is kept, what is given up, and what is said of it. */
import { cp, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { type ExecutionContext } from "ava";
import { Health } from "#core/health/types.js";
import { type Broker, startKafka } from "#test/support/brokers.js";
import { eventually } from "#test/support/eventually.js";
import { kafkaProgram } from "#test/support/programs.js";
import { type BusAgent, busAgent, dummy, keyOf } from "./support/agent.js";
import { KafkaBus, withOwnKafka } from "./support/bus.js";

const PATIENCE = 240_000;
const QUICK = { topic_check: "200ms", fetch_wait: "200ms", heartbeat_interval: "200ms", rebalance_timeout: "1s" };
/** The cleaner goes over a topic as soon as something is written. */
const COMPACTED = {
  "cleanup.policy": "compact",
  "segment.ms": "100",
  "min.cleanable.dirty.ratio": "0.001",
  "delete.retention.ms": "0",
};

let server: Broker;
let bus: KafkaBus;

test.before(async (t) => {
  t.timeout(PATIENCE);
  if (kafkaProgram() === undefined) return;
  server = await startKafka({
    properties: { "log.cleaner.backoff.ms": "200", "group.initial.rebalance.delay.ms": "0" },
  });
  bus = await KafkaBus.connect(server.url);
});
test.after.always(async () => {
  await bus?.close();
  await server?.stop();
});

async function directory(t: ExecutionContext): Promise<string> {
  const made = await mkdtemp(join(tmpdir(), "tenuto-lost-"));
  t.teardown(() => rm(made, { recursive: true, force: true }));
  return made;
}

/** An agent with a store, which may be started again under its label. */
async function starter(t: ExecutionContext, label: string, kafka: object = {}): Promise<() => Promise<BusAgent>> {
  const store = { enabled: true, directory: join(await directory(t), "store") };
  return () => busAgent(t, { label, kafka: { brokers: server.url, ...QUICK, ...kafka }, configuration: { store } });
}

function topicOf(label: string): string {
  return `tenuto.${label}.config`;
}

async function want(label: string, ...names: readonly string[]): Promise<void> {
  await bus.want(
    label,
    names.map((name) => dummy(name)),
  );
}

async function unwant(label: string, ...names: readonly string[]): Promise<void> {
  await bus.want(
    label,
    names.map((name) => ({ key: keyOf(name) })),
  );
}

/** Our record covers everything that was written before, and the agent has read it. */
async function recorded({ label }: BusAgent): Promise<void> {
  await eventually(async () => (await bus.keysOf(topicOf(label))).at(-1) === "tenuto/epoch", {
    what: `the record of what ${label} read`,
    timeout: 60_000,
  });
}

function saidOf({ agent }: BusAgent): string {
  const health = agent
    .get(Health)
    .plugins()
    .find(({ plugin }) => plugin === "orchestrator");
  return health?.state === "ok" ? "" : (health?.reason ?? "");
}

async function ends(agent: BusAgent, title: string, end: readonly string[], told: RegExp | undefined): Promise<void> {
  await eventually(
    () => {
      const said = saidOf(agent);
      const fits = agent.desired().join() === end.join() && (told?.test(said) ?? said === "");
      if (!fits) throw new Error(`${agent.desired().join()} ${said} (${agent.health().reason})`);
      return true;
    },
    { what: `${title}: ${end.join()}, told as ${told}`, timeout: 90_000 },
  );
}

/** A topic with the same name and other records. */
async function remake(topic: string, configuration?: Readonly<Record<string, string>>): Promise<void> {
  await bus.remakeTopics([topic], (name) => bus.createTopic(name, configuration));
}

/** All of a topic, which takes a policy that allows it. */
async function deleteRecords(label: string): Promise<void> {
  const topic = topicOf(label);
  const end = await bus.endOf(topic);
  await bus.configure(topic, { "cleanup.policy": "compact,delete" });
  await eventually(() => bus.deleteRecords(topic, end!).then(() => true), {
    what: `the records of ${topic} to be deleted`,
  });
}

interface Loss {
  readonly title: string;
  readonly damage: (label: string) => Promise<void>;
  /** Values at the end; a, b and c were there before. */
  readonly end: readonly string[];
  /** What is said of those that are kept; nothing: nothing is. */
  readonly told?: RegExp;
  readonly kafka?: object;
  /** When the agent is there, or has been stopped; both when left out. */
  readonly only?: "connected" | "off";
}

const ALL = ["a", "b", "c"];

const LOSSES: readonly Loss[] = [
  { title: "nothing happens", damage: async () => undefined, end: ALL },
  {
    title: "a value is deleted, and its tombstone is compacted away",
    damage: async (label) => {
      await unwant(label, "a");
      const isGone = async (): Promise<boolean> => {
        // Only segments that are not written to any more are compacted.
        await want(label, "b");
        const keys = await bus.keysOf(topicOf(label));
        return !keys.includes(keyOf("a"));
      };
      await eventually(isGone, { what: "the tombstone to be compacted away", timeout: 90_000 });
    },
    end: ["b", "c"],
    only: "off",
  },
  {
    title: "the topic is deleted and made anew without anything",
    damage: (label) => remake(topicOf(label), COMPACTED),
    end: ALL,
    told: /made anew/,
  },
  {
    title: "the topic is made anew, with more records than were read of the old one",
    damage: async (label) => {
      await remake(topicOf(label), COMPACTED);
      await want(label, "first");
      for (let index = 0; index < 20; index += 1) await want(label, "b");
    },
    end: [...ALL, "first"],
    told: /made anew/,
  },
  {
    title: "the topic is made anew, and said to be complete",
    damage: async (label) => {
      await remake(topicOf(label), COMPACTED);
      await want(label, "b");
      await bus.send(topicOf(label), [{ key: "tenuto/complete", value: JSON.stringify({ values: 1 }) }]);
    },
    end: ["b"],
  },
  {
    title: "records are deleted",
    damage: async (label) => {
      await deleteRecords(label);
      await bus.configure(topicOf(label), COMPACTED);
    },
    end: ALL,
    told: /before offset \d+ were deleted/,
    only: "off",
  },
  {
    title: "records are deleted, and absence is configured to mean a delete",
    damage: async (label) => {
      await deleteRecords(label);
      await bus.configure(topicOf(label), COMPACTED);
      await want(label, "b");
    },
    end: ["b"],
    kafka: { missing: "remove" },
    only: "off",
  },
  {
    title: "records are deleted that a connected agent has read",
    damage: async (label) => {
      await deleteRecords(label);
      await bus.configure(topicOf(label), COMPACTED);
    },
    end: ALL,
    only: "connected",
  },
  {
    title: "the topic has a policy that loses values",
    damage: async (label) => {
      await deleteRecords(label);
    },
    end: ALL,
    told: /deleted|loses values by itself/,
    only: "off",
  },
];

async function loss(t: ExecutionContext, when: "connected" | "off", what: Loss, label: string): Promise<void> {
  await bus.createTopic(topicOf(label), COMPACTED);
  const start = await starter(t, label, what.kafka);
  let agent = await start();
  await want(label, "a", "gone");
  await unwant(label, "gone");
  await want(label, "b", "c");
  await ends(agent, "before", ALL, undefined);
  await recorded(agent);
  if (when === "off") await agent.close();
  await what.damage(label);
  if (when === "off") agent = await start();
  await ends(agent, `${when}: ${what.title}`, what.end, what.told);
  await want(label, "later");
  await eventually(() => agent.desired().includes("later"), { what: `${what.title}: what comes later` });
  t.deepEqual(agent.desired(), [...what.end, "later"].toSorted(), what.title);
  await agent.close();
}

for (const when of ["off", "connected"] as const) {
  withOwnKafka(`${when}: what a topic has lost is kept and told, and only what was deleted is removed`, async (t) => {
    t.timeout(PATIENCE);
    const losses = LOSSES.filter(({ only }) => only === undefined || only === when);
    await Promise.all(losses.map((what, index) => loss(t, when, what, `${when}-${index}`)));
  });
}

withOwnKafka("a broker whose disk was set back takes nothing away, also when it was written to again", async (t) => {
  t.timeout(PATIENCE);
  const cases = [
    { label: "back-connected", isOff: false, more: 0 },
    { label: "back-off", isOff: true, more: 0 },
    { label: "back-more", isOff: true, more: 12 },
  ];
  const [data, earlier] = [join(server.directory, "data"), await directory(t)];
  const whileStopped = async (change: () => Promise<void>): Promise<void> => {
    await server.kill();
    await change();
    await server.restart();
  };
  const each = <T>(work: (one: (typeof cases)[number], index: number) => Promise<T>): Promise<T[]> =>
    Promise.all(cases.map(work));
  const starters = await each(({ label }) => starter(t, label));
  const agents = await Promise.all(starters.map((start) => start()));
  await each(async ({ label }, index) => {
    await want(label, "a", "gone");
    await unwant(label, "gone");
    await ends(agents[index]!, label, ["a"], undefined);
    await recorded(agents[index]!);
  });
  await whileStopped(() => cp(data, earlier, { recursive: true }));
  await each(async ({ label, isOff }, index) => {
    await want(label, "b", "c");
    await ends(agents[index]!, label, ALL, undefined);
    await recorded(agents[index]!);
    if (isOff) await agents[index]!.close();
  });
  await whileStopped(async () => {
    await rm(data, { recursive: true });
    await cp(earlier, data, { recursive: true });
  });
  await each(async ({ label, more, isOff }, index) => {
    const names = Array.from({ length: more }, (_, number) => `x${String(number).padStart(2, "0")}`);
    for (const name of names) await want(label, name);
    if (isOff) agents[index] = await starters[index]!();
    await ends(agents[index]!, label, [...ALL, ...names], /set back|went back|another record|lost/);
    await want(label, "later");
    await eventually(() => agents[index]!.desired().includes("later"), { what: `${label}: what comes later` });
  });
  t.pass();
});

withOwnKafka(
  "every command of a topic that was made anew is carried out, and those that were deleted are told",
  async (t) => {
    t.timeout(PATIENCE);
    const label = "commanded";
    const topic = `tenuto.${label}.commands`;
    const start = await starter(t, label);
    let number = 0;
    const commands = async (count: number): Promise<readonly string[]> => {
      const ids = Array.from({ length: count }, () => `${label}-${number++}`);
      for (const id of ids) await bus.command(label, { id, changes: [dummy("x", { mtu: 1_000 + number })] });
      return ids;
    };
    const answered = async (ids: readonly string[]): Promise<void> => {
      for (const id of ids) t.is((await bus.result(id)).result.outcome, "APPLIED", id);
    };
    const remade = async (): Promise<readonly string[]> => {
      await remake(topic);
      return await commands(6);
    };
    let agent = await start();
    await answered(await commands(3));
    await answered(await remade());
    await agent.close();
    const whileOff = await remade();
    agent = await start();
    await answered(whileOff);
    await agent.close();
    await commands(2);
    await bus.deleteRecords(topic, (await bus.endOf(topic))!);
    const left = await commands(1);
    agent = await start();
    await answered(left);
    t.regex(agent.health().reason, /the commands from offset \d+ to \d+ were deleted before they were read/);
  },
);
