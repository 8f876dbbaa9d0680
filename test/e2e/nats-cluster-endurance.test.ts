/**
 * A NATS of three servers with replicated buckets, whose leaders are killed in the middle of a stream of transactions and of values.
 * `npm run test:long` does the same with larger numbers.
 */
import test from "ava";
import { connect, type JetStreamManager, type NatsConnection } from "nats";
import { connectNats, type NatsClient } from "#client/index.js";
import { type AgentProcess, agentProcess } from "#test/support/agent-process.js";
import { type NatsCluster, startNatsCluster } from "#test/support/brokers.js";
import { counts } from "#test/support/counts.js";
import { eventually } from "#test/support/eventually.js";
import { links } from "#test/support/sandbox.js";
import { eachAppliedUnderItsOwnNumber, eachInTheKernelOnce, healthy } from "./support/claims.js";
import { INTERFACE } from "./support/pair.js";
import { end, Stream } from "./support/stream.js";

const LABEL = "replicated";
const STREAMS = ["KV_tenuto-config", "KV_tenuto-state"];
const COPIES = 3;

const { transactions, brokerRestarts, patience } = counts({
  transactions: 120,
  brokerRestarts: 2,
  agentKills: 0,
  poison: 0,
  routes: 0,
});

let cluster: NatsCluster;
let agent: AgentProcess;
let client: NatsClient;
let bus: NatsConnection;
let manager: JetStreamManager;

test.before(async (t) => {
  t.timeout(patience);
  cluster = await startNatsCluster();
  const configuration = { nats: { reconnect_min: "20ms", reconnect_max: "200ms", bucket_replicas: COPIES } };
  const args = ["--nats", cluster.url];
  agent = await agentProcess({ label: LABEL, flavor: "nats", args, configuration, until: "alive" });
  bus = await connect({ servers: cluster.url.split(","), reconnectTimeWait: 20, maxReconnectAttempts: -1 });
  manager = await eventually(() => bus.jetstreamManager());
  await healthy(agent);
  client = await connectNats({ servers: cluster.url, label: LABEL, timeout: patience, patience });
});

test.after.always(async () => {
  await client?.close();
  await bus?.close();
  await agent?.stop();
  await cluster?.stop();
});

/** The name of the server that leads a stream, once it does and the others follow, or lag behind if so asked. */
async function leaderOf(stream: string, isWhole = true): Promise<string> {
  return await eventually(
    async () => {
      const { cluster: state } = await manager.streams.info(stream);
      const copies = state?.replicas ?? [];
      const complete = copies.length === COPIES - 1 && copies.every(({ current, offline }) => current && !offline);
      if (state?.leader === undefined || state.leader === "" || (isWhole && !complete))
        throw new Error(JSON.stringify(state));
      return state.leader;
    },
    { what: `${stream} to be led${isWhole ? " and copied" : ""}`, timeout: patience },
  );
}

async function killLeader(stream: string): Promise<void> {
  for (const name of STREAMS) await leaderOf(name);
  const leader = await leaderOf(stream);
  await cluster.node(leader).kill();
  await eventually(async () => (await leaderOf(stream, false)) !== leader, { timeout: patience });
  await cluster.node(leader).restart();
}

test("leaders of replicated buckets die, and no transaction and no value is lost or removed", async (t) => {
  t.timeout(patience);
  const stream = new Stream("copied", 23, transactions);
  const kernel = await stream.watchKernel();
  let strikes = 0;
  const results = await stream.run(
    (transaction) => client.commit(transaction),
    brokerRestarts,
    async () => {
      strikes += 1;
      const striking = killLeader(STREAMS[strikes % STREAMS.length] ?? "");
      for (const part of ["before", "after"]) {
        const name = `${part}${strikes}`;
        const value = end(name, `${name}-p`);
        const peer = end(`${name}-p`, name);
        // A write without an answer is made again: what was answered has to be there.
        for (const { key, value: content } of [value, peer]) {
          await eventually(() => client.desired.put(key, content).then(() => true), { timeout: patience });
        }
        if (part === "before") await striking;
      }
    },
  );
  eachAppliedUnderItsOwnNumber(t, stream, results);
  await eachInTheKernelOnce(t, kernel, transactions);
  await stream.settled(agent);
  const names = Array.from({ length: strikes }, (_, index) => [`before${index + 1}`, `after${index + 1}`]).flat();
  const expected = names.flatMap((name) => [name, `${name}-p`]).toSorted();
  await eventually(async () => {
    const found = (await links()).map(({ ifname }) => ifname).filter((name) => /^(before|after)\d/.test(name));
    if (found.toSorted().join() !== expected.join()) throw new Error(found.join());
    return true;
  });
  const { stdout } = await agent.tenuto(["get", INTERFACE, "-o", "json"]);
  const desired = (JSON.parse(stdout) as readonly { readonly key: string }[]).map(({ key }) =>
    key.slice(INTERFACE.length),
  );
  t.deepEqual(desired.filter((name) => /^(before|after)\d/.test(name)).toSorted(), expected);
  await healthy(agent);
  t.notRegex(agent.log, /is not known|set back|went back|lost/);
  t.log(`${transactions} transactions, ${strikes} leaders killed, ${names.length * 2} values put`);
});
