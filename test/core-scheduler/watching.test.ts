import test from "ava";
import type { Drift, ValueStatusRecord } from "#core/scheduler/api/scheduler.js";
import { createMetadataMap } from "#core/scheduler/index.js";
import { Network } from "./network.js";

const tap = { type: "tap" };

/** Statuses that were told, as `KEY STATE`, derived ones behind their base. */
function followed(network: Network): string[] {
  const told: string[] = [];
  const write = ({ key, state, derived }: ValueStatusRecord): void => {
    told.push(`${key} ${state}`);
    for (const each of derived) write(each);
  };
  network.scheduler.watchStatus((statuses) => {
    for (const each of statuses) write(each);
  });
  return told;
}

test("a status is told when it changes, once for each transaction, and not when it stays", async (t) => {
  const network = new Network();
  const told = followed(network);
  await network.commit({ "route/my-route": { interface: "my-tap" } });
  t.deepEqual(told.splice(0), ["route/my-route PENDING"]);
  await network.commit({ "interface/my-tap": tap });
  t.deepEqual(told.splice(0).sort(), ["interface/my-tap CONFIGURED", "route/my-route CONFIGURED"]);
  await network.commit({ "interface/my-tap": { type: "tap", mtu: 9000 } });
  t.deepEqual(told.splice(0), [], "another value, the same status");
  await network.commit({ "interface/my-tap": undefined });
  t.deepEqual(told.splice(0).sort(), ["interface/my-tap REMOVED", "route/my-route PENDING"]);
});

test("a change of a derived value is told with its base", async (t) => {
  const network = new Network();
  await network.commit({ "bridge-domain/my-bd": { interfaces: ["my-tap"] } });
  const told = followed(network);
  await network.commit({ "interface/my-tap": tap });
  t.deepEqual(told.sort(), [
    "bridge-domain/my-bd CONFIGURED",
    "bridged/my-bd/my-tap CONFIGURED",
    "interface/my-tap CONFIGURED",
  ]);
});

test("a transaction that is undone tells of no status that nobody could have seen", async (t) => {
  const network = new Network();
  const told = followed(network);
  network.breakDown("create route/my-route");
  await network.commit({ "interface/my-tap": tap, "route/my-route": { interface: "my-tap" } }, { atomic: true });
  t.deepEqual(told, []);
});

test("who has ended a watch is not called any more", async (t) => {
  const network = new Network();
  const calls: string[] = [];
  const ends = [
    network.scheduler.watchStatus(() => calls.push("status")),
    network.scheduler.watchTransactions(() => calls.push("transaction")),
    network.scheduler.watchDrift(() => calls.push("drift")),
  ];
  for (const end of ends) end();
  await network.commit({ "interface/my-tap": tap });
  network.below.delete("interface/my-tap");
  await network.scheduler.refresh(["interface/my-tap"]);
  t.deepEqual(calls, []);
});

test("drift is told with the value as it was and as it was found", async (t) => {
  const network = new Network({ drift: "report" });
  const drifts: Drift[] = [];
  network.scheduler.watchDrift((found) => drifts.push(...found));
  const desired = { type: "tap", ip_addresses: ["10.0.0.1/24"] };
  await network.commit({ "interface/my-tap": desired });

  network.below.delete("interface-address/my-tap/10.0.0.1/24");
  await network.scheduler.refresh(["interface/my-tap"]);
  t.deepEqual(drifts.splice(0), [
    {
      key: "interface/my-tap",
      before: desired,
      after: tap,
      keys: ["interface-address/my-tap/10.0.0.1/24"],
      policy: "report",
      repairIn: undefined,
    },
  ]);

  network.below.delete("interface/my-tap");
  await network.scheduler.refresh(["interface/my-tap"], "enforced by hand", "enforce");
  t.like(drifts[0], { after: undefined, policy: "enforce", repairIn: 0 });
  t.true(network.below.has("interface/my-tap"), "a call can say otherwise than the scheduler");
});

test("what we have done ourselves is repaired without a word and without delay", async (t) => {
  const network = new Network();
  const drifts: Drift[] = [];
  network.scheduler.watchDrift((found) => drifts.push(...found));
  await network.commit({ "interface/my-tap": tap });
  for (let i = 0; i < 3; i++) {
    network.below.delete("interface/my-tap");
    await network.scheduler.refresh(["interface/my-tap"], "its pair was taken apart", "repair");
    t.true(network.below.has("interface/my-tap"));
  }
  t.deepEqual(drifts, []);
});

test("metadata can be found by its fields, and whoever watches is told", (t) => {
  const map = createMetadataMap<{ readonly index: number; readonly names: readonly string[] }>(({ index, names }) => ({
    index: String(index),
    name: names,
  }));
  const told: string[] = [];
  const end = map.watch((key, metadata) => told.push(`${key} ${metadata?.index}`));
  map.set("a", { index: 1, names: ["eth0", "lan"] });
  map.set("b", { index: 2, names: ["lan"] });
  t.deepEqual(map.lookup("name", "lan"), ["a", "b"]);
  map.set("a", { index: 3, names: [] });
  t.deepEqual(map.lookup("name", "lan"), ["b"]);
  t.deepEqual(map.lookup("index", "1"), []);
  t.deepEqual(map.lookup("index", "3"), ["a"]);
  map.set("b", undefined);
  t.deepEqual([...map.entries()], [["a", { index: 3, names: [] }]]);
  end();
  map.set("a", undefined);
  t.deepEqual(told, ["a 1", "b 2", "a 3", "b undefined"]);
  t.is(map.size, 0);
});

test("a re-created value has new metadata, and an update may keep it", async (t) => {
  const network = new Network();
  const key = "interface/my-tap";
  await network.commit({ [key]: { type: "tap", rx_ring_size: 1 } });
  await network.commit({ [key]: { type: "tap", rx_ring_size: 1, mtu: 9000 } });
  t.deepEqual(network.interfaces.get(key), { index: 1 });
  await network.commit({ [key]: { type: "tap", rx_ring_size: 2 } });
  t.deepEqual(network.interfaces.get(key), { index: 2 });
  t.is(network.scheduler.metadata("interface"), network.interfaces);
  t.is(network.scheduler.metadata("nobody"), undefined);
});
