/**
 * What happens to interfaces, as subscribers of two buses hear it: one agent, a real nats-server and a real Kafka.
 */
import { randomUUID } from "node:crypto";
import { readFile } from "node:fs/promises";
import type { ExecutionContext } from "ava";
import type { Msg } from "nats";
import { anyKafka, header, type KafkaBus, type Received, withKafka } from "#test/kafka/support/bus.js";
import { type AgentProcess, agentProcess } from "#test/support/agent-process.js";
import { type Broker, startNats } from "#test/support/brokers.js";
import { eventually } from "#test/support/eventually.js";
import { ip, run } from "#test/support/sandbox.js";
import { type Change, Orchestrator } from "./support/bus.js";

const PAIRS = 100;
const FLAPS = 20_000;
const BURSTS = 10;
/** One end that goes down and up again is a flap of both. */
const FLAPS_EACH = 2;
const FLAPPING = /^[nf]\d+$/;

const kafka = anyKafka();

interface State {
  readonly name: string;
  readonly admin_status: string;
  readonly oper_status: string;
  readonly carrier_changes?: number;
  readonly folded_changes?: number;
}

interface Notification {
  readonly type: string;
  readonly state: State;
}

interface Scene {
  readonly agent: AgentProcess;
  readonly server: Broker;
  readonly orchestrator: Orchestrator;
  readonly log: KafkaBus;
  /** Events on NATS since before the agent started. */
  readonly events: readonly Msg[];
}

async function scene(t: ExecutionContext, configuration: Readonly<Record<string, unknown>>): Promise<Scene> {
  t.timeout(240_000);
  const server = await startNats();
  t.teardown(() => server.stop());
  const label = `both-${randomUUID().slice(0, 8)}`;
  const orchestrator = await Orchestrator.connect(server.url, label);
  t.teardown(() => orchestrator.close());
  const events = orchestrator.collect("event.>");
  const args = ["--nats", server.url, "--kafka", await kafka.brokers()];
  const agent = await agentProcess({ label, flavor: "full", args, configuration });
  t.teardown(() => agent.stop());
  return { agent, server, orchestrator, log: await kafka.bus(), events };
}

function pairOf(near: string, far: string): readonly Change[] {
  return [
    [near, far],
    [far, near],
  ].map(([name = "", peer]) => ({
    key: `config/linux/interfaces/v2/interface/${name}`,
    value: { name, type: "VETH", enabled: true, veth: { peer_if_name: peer } },
  }));
}

/** What the kernel says, in the words of a state. */
async function kernelStates(): Promise<ReadonlyMap<string, string>> {
  const links = await ip<{ ifname: string; flags: readonly string[]; operstate: string }>(
    "link",
    "show",
    "type",
    "veth",
  );
  const of = async ({ ifname, flags, operstate }: (typeof links)[number]): Promise<[string, string]> => {
    const changes = (await readFile(`/sys/class/net/${ifname}/carrier_changes`, "utf8")).trim();
    return [ifname, `${flags.includes("UP") ? "UP" : "DOWN"} ${operstate === "UP" ? "UP" : "DOWN"} ${changes}`];
  };
  return new Map(await Promise.all(links.filter(({ ifname }) => FLAPPING.test(ifname)).map(of)));
}

function wordsOf({ admin_status, oper_status, carrier_changes }: State): string {
  return `${admin_status} ${oper_status} ${carrier_changes ?? 0}`;
}

/** The last state of each interface. */
function lastStates(notifications: readonly Notification[]): ReadonlyMap<string, string> {
  return new Map(notifications.map(({ state }) => [state.name, wordsOf(state)]));
}

/** Names of the interfaces that somebody has another state of than the kernel. */
function wrong(kernel: ReadonlyMap<string, string>, heard: ReadonlyMap<string, string>): readonly string[] {
  return [...kernel].flatMap(([name, state]) =>
    heard.get(name) === state ? [] : `${name}: ${state}, ${heard.get(name)}`,
  );
}

/** The messages of the compacted topic about an agent; a tombstone has no value. */
function about(messages: readonly Received[], label: string): readonly Received[] {
  return messages.filter(({ key }) => key?.toString().startsWith(`${label}/`));
}

function notifications(messages: readonly Received[], label: string): readonly Notification[] {
  return about(messages, label).flatMap(({ value }) => (value === null ? [] : JSON.parse(value.toString())));
}

async function megabytes({ pid }: AgentProcess, line: "VmRSS" | "VmHWM"): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, "utf8");
  return Number(new RegExp(`^${line}:\\s+(\\d+) kB`, "m").exec(status)?.[1]) / 1024;
}

withKafka(
  "20,000 link flaps in bursts across 200 interfaces end with the right states at both subscribers",
  async (t) => {
    await run(["mount", "-t", "sysfs", "sysfs", "/sys"]);
    const { agent, orchestrator, log } = await scene(t, {
      // Long intervals: on a slow machine the flaps come slowly, and are to be folded all the same.
      "interface-state": { statistics_interval: "0s", min_interval: "1s", max_interval: "8s" },
      // What flaps is to stay as it is left.
      "linux-drift": { policy: "ignore" },
    });
    const { label } = agent;
    const heard: Notification[] = [];
    orchestrator.connection.subscribe(`tenuto.${label}.state.interface.*`, {
      callback: (_error, message) => heard.push(message.json<Notification>()),
    });
    const topic = await log.view("tenuto.state.interface");
    const pairs = Array.from({ length: PAIRS }, (_, i): readonly [string, string] => [`n${i}`, `f${i}`]);
    const { outcome } = await orchestrator.commit(pairs.flatMap(([near, far]) => pairOf(near, far)));
    t.is(outcome, "APPLIED");
    await eventually(async () => wrong(await kernelStates(), lastStates(heard)).length === 0, {
      what: "the first states",
    });
    await eventually(() => notifications(topic.messages, label).length >= heard.length);
    const before = {
      heard: heard.length,
      topic: about(topic.messages, label).length,
      memory: await megabytes(agent, "VmRSS"),
    };

    for (let burst = 0; burst < BURSTS; burst++) {
      const lines = Array.from({ length: FLAPS / FLAPS_EACH / BURSTS }, (_, i) => {
        const [near] = pairs[(i + burst) % PAIRS] ?? pairs[0]!;
        return `link set dev ${near} down\nlink set dev ${near} up`;
      });
      const left = pairs.filter((_, i) => (i + burst) % 3 === 0).map(([near]) => `link set dev ${near} down`);
      await run(["sh", "-c", `ip -batch - <<'END'\n${[...lines, ...left].join("\n")}\nEND`]);
    }
    const kernel = await kernelStates();
    t.is(kernel.size, 2 * PAIRS);
    // A flap is two changes of a carrier.
    const changes = [...kernel.values()].reduce((sum, state) => sum + Number(state.split(" ")[2]), 0);
    t.true(changes >= 2 * FLAPS, `${changes} changes of carriers`);
    t.true(new Set([...kernel.values()].map((state) => state.split(" ").slice(0, 2).join(" "))).size >= 3);
    const right = async (last: () => ReadonlyMap<string, string>, what: string): Promise<void> => {
      await eventually(
        async () => {
          const left = wrong(await kernelStates(), last());
          if (left.length > 0) throw new Error(`${left.length} are wrong: ${left.slice(0, 3).join("; ")}`);
          return true;
        },
        { timeout: 120_000, what },
      );
    };
    await right(() => lastStates(heard), "the last states at the NATS subscriber");
    await right(() => lastStates(notifications(topic.messages, label)), "the last states at the Kafka subscriber");

    const counts = {
      nats: heard.length - before.heard,
      kafka: about(topic.messages, label).length - before.topic,
      folded: heard.reduce((sum, { state }) => sum + (state.folded_changes ?? 0), 0),
      megabytes: (await megabytes(agent, "VmHWM")) - before.memory,
    };
    t.log(counts);
    t.true(counts.nats < FLAPS / 3 && counts.kafka < FLAPS / 3, "messages well below flaps");
    t.true(counts.folded > FLAPS / 2, "the folded changes are counted");
    t.true(counts.megabytes < 200, "bounded memory");

    // Subscribers that start now.
    const [gone, ...stay] = pairs;
    await orchestrator.commit(
      gone!.map((name) => ({ key: `config/linux/interfaces/v2/interface/${name}`, delete: true })),
    );
    const bucket = await orchestrator.connection.jetstream().views.kv("tenuto-state");
    await right(
      () => lastStates(heard.filter(({ state }) => !gone!.includes(state.name))),
      "the states of those that stay",
    );
    for (const name of gone!) {
      t.is(heard.findLast(({ state }) => state.name === name)?.state.oper_status, "DELETED");
      await eventually(async () => (await bucket.get(`${label}.interface.${name}`))?.operation !== "PUT");
    }
    const states = await Promise.all(
      stay.flat().map(async (name) => (await bucket.get(`${label}.interface.${name}`))?.json<Notification>()),
    );
    t.deepEqual(wrong(await kernelStates(), lastStates(states.flatMap((state) => state ?? []))), []);
    const late = await (await kafka.another()).view("tenuto.state.interface");
    await right(() => lastStates(notifications(late.messages, label)), "the states at a late Kafka subscriber");
    for (const name of gone!) {
      const last = await eventually(() =>
        about(late.messages, label).findLast(({ key }) => key?.toString() === `${label}/${name}`),
      );
      t.is(last.value, null, `a tombstone for ${name}`);
    }
  },
);

withKafka(
  "values, transactions, drift, ifmgr and health are told on both buses, and states again when a bus is back",
  async (t) => {
    const { agent, server, orchestrator, log, events } = await scene(t, {});
    const { label } = agent;
    const topic = await log.view("tenuto.events");
    const onNats = (kind: string, subject: string): readonly object[] =>
      events
        .filter(({ subject: to, headers }) => to.endsWith(`.event.${kind}`) && headers?.get("ce-subject") === subject)
        .map((message) => message.json<object>());
    const onKafka = (type: string, subject: string): readonly object[] =>
      topic.messages
        .filter((message) => message.key?.toString() === label && header(message, "ce-subject") === subject)
        .filter((message) => header(message, "ce-type") === `io.tenuto.${type}`)
        .map(({ value }) => JSON.parse(value?.toString() ?? "null"));
    const key = "config/linux/interfaces/v2/interface/told";

    await orchestrator.commit(pairOf("told", "told-far"), { id: "tell" });
    await run(["ip", "link", "set", "dev", "told", "down"]);
    const isConfigured = (value: object): boolean => "state" in value && value.state === "CONFIGURED";
    const isDrift = (drift: object): boolean => "policy" in drift && drift.policy === "ENFORCE";
    await eventually(() => onNats("value", key).some(isConfigured) && onKafka("value.status", key).some(isConfigured));
    await eventually(
      () => onNats("transaction", "tell").length > 0 && onKafka("transaction.finished", "tell").length > 0,
    );
    await eventually(() => onNats("drift", key).some(isDrift) && onKafka("value.drift", key).some(isDrift));

    await orchestrator.request("ifmgr.register", { interface: "card0" });
    await run(["ip", "link", "add", "card0", "type", "veth", "peer", "name", "card0-far"]);
    const isPlugged = (event: object): boolean => "type" in event && event.type === "INTERFACE_STATE";
    await eventually(() => onNats("ifmgr", "card0").some(isPlugged) && onKafka("ifmgr.state", "card0").some(isPlugged));

    const states = orchestrator.collect("state.interface.*");
    await server.kill();
    await eventually(() =>
      onKafka("health", "nats").some((health) => "state" in health && health.state === "degraded"),
    );
    await run(["ip", "link", "set", "dev", "told-far", "down"]);
    await server.restart();
    const last = (name: string) =>
      states.findLast(({ subject }) => subject.endsWith(`.${name}`))?.json<Notification>().state.oper_status;
    // A subscriber that was away too, or comes late, asks.
    const subject = `tenuto.${label}.interfaces.republish`;
    const asked = await eventually(async () =>
      (await orchestrator.connection.request(subject, "", { timeout: 60_000 })).json<{ readonly interfaces: number }>(),
    );
    t.is(asked.interfaces, 2);
    await eventually(() => ["told", "told-far"].every((name) => last(name) !== undefined));
    await eventually(() => onKafka("health", "nats").some((health) => "state" in health && health.state === "ok"));
    t.true(onNats("health", "kafka").some((health) => "state" in health && health.state === "ok"));
  },
);
