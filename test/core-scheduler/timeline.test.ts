import test from "ava";
import { toDot } from "#core/scheduler/index.js";
import { HOST_LINK, Network } from "./network.js";

const tap = { type: "tap" };

test("the timeline of a key says what it was, and from when to when", async (t) => {
  const network = new Network();
  const start = network.clock.now();
  const key = "route/my-route";
  await network.commit({ [key]: { interface: "my-tap" } });
  await network.pass(1_000);
  await network.commit({ "interface/my-tap": tap });
  await network.pass(1_000);
  await network.commit({ [key]: { interface: "my-tap" } });
  await network.pass(1_000);
  await network.commit({ [key]: undefined });
  const route = { key, value: { interface: "my-tap" }, error: "", descriptor: "route/", derivedFrom: undefined };
  t.deepEqual(network.scheduler.timeline(key), [
    {
      ...route,
      state: "PENDING",
      details: ["interface my-tap"],
      since: start,
      until: start + 1_000,
      transaction: 1,
    },
    { ...route, state: "CONFIGURED", details: [], since: start + 1_000, until: start + 3_000, transaction: 2 },
  ]);
  t.deepEqual(network.scheduler.timeline("interface/nobody"), []);
});

test("the timeline keeps each value and each error", async (t) => {
  const network = new Network();
  const key = "interface/my-tap";
  await network.commit({ [key]: tap });
  await network.commit({ [key]: { type: "tap", mtu: 9000 } });
  network.breakDown(`update ${key}`);
  await network.commit({ [key]: { type: "tap", mtu: 1400 } });
  await network.pass(1_000);
  t.deepEqual(
    network.scheduler.timeline(key).map(({ state, value, error }) => [state, value, error]),
    [
      ["CONFIGURED", tap, ""],
      ["CONFIGURED", { type: "tap", mtu: 9000 }, ""],
      ["RETRYING", { type: "tap", mtu: 9000 }, `update ${key} broke down`],
      ["CONFIGURED", { type: "tap", mtu: 1400 }, ""],
    ],
  );
});

test("a snapshot shows the graph as it was at a time, with what depended on what", async (t) => {
  const network = new Network();
  await network.commit({
    "interface/my-tap": { type: "tap", ip_addresses: ["10.0.0.1/24"] },
    "interface/dependent": { type: "tap", unnumbered: "my-tap" },
    "route/waiting": { interface: "nowhere" },
  });
  const then = network.clock.now();
  await network.pass(1_000);
  await network.commit({ "interface/my-tap": undefined });
  await network.pass(1_000);

  const { values, edges, complete } = await network.scheduler.snapshot(then);
  t.true(complete);
  t.deepEqual(
    values.map(({ key, state }) => `${key} ${state}`),
    [
      "interface-address/my-tap/10.0.0.1/24 CONFIGURED",
      "interface/dependent CONFIGURED",
      "interface/my-tap CONFIGURED",
      "route/waiting PENDING",
      "unnumbered/dependent CONFIGURED",
    ],
  );
  t.deepEqual(
    edges.map(({ relation, from, to, satisfied }) => `${from} ${relation} ${to} ${satisfied}`),
    [
      "interface/my-tap derives interface-address/my-tap/10.0.0.1/24 true",
      "route/waiting depends-on interface/nowhere false",
      "interface/dependent derives unnumbered/dependent true",
      "unnumbered/dependent depends-on interface-address/my-tap/10.0.0.1/24 true",
    ],
  );
  t.deepEqual(
    (await network.scheduler.snapshot()).values.map(({ key, state }) => `${key} ${state}`),
    ["interface/dependent CONFIGURED", "route/waiting PENDING", "unnumbered/dependent PENDING"],
  );
  t.deepEqual((await network.scheduler.snapshot(then - 1)).values, []);
});

test("the past is bounded in count and in age, and a snapshot says when it lacks something", async (t) => {
  const network = new Network({ timeline: { maxRecords: 3, maxAge: 10_000 } });
  const key = "interface/my-tap";
  const start = network.clock.now();
  for (const mtu of [1000, 1001, 1002, 1003, 1004]) {
    await network.commit({ [key]: { type: "tap", mtu } });
    await network.pass(1_000);
  }
  const mtus = () => network.scheduler.timeline(key).map(({ value }) => (value as { mtu: number }).mtu);
  t.deepEqual(mtus(), [1001, 1002, 1003, 1004]);
  t.false((await network.scheduler.snapshot(start)).complete);
  t.true((await network.scheduler.snapshot(start + 1_000)).complete);

  await network.pass(12_000);
  await network.commit({ "interface/other": tap });
  t.deepEqual(mtus(), [1004], "the present does not grow old");
});

test("without a past only the present is kept", async (t) => {
  const network = new Network({ timeline: { maxRecords: 0 } });
  await network.commit({ "interface/my-tap": tap });
  await network.commit({ "interface/my-tap": { type: "tap", mtu: 9000 } });
  t.is(network.scheduler.timeline("interface/my-tap").length, 1);
});

test("flag statistics count the present and the remembered past", async (t) => {
  const network = new Network();
  const { scheduler } = network;
  await network.hostLinkAppears("eth1");
  await network.commit({ "interface/my-tap": { type: "tap", ip_addresses: ["10.0.0.1/24"] } });
  await network.commit({ "route/my-route": { interface: "nowhere" } });
  network.breakDown("update interface/my-tap");
  await network.commit({ "interface/my-tap": { type: "tap", ip_addresses: ["10.0.0.1/24"], mtu: 9000 } });

  t.deepEqual(scheduler.flagStatistics("value-state"), {
    total: 5,
    perValue: { CONFIGURED: 2, OBTAINED: 1, PENDING: 1, RETRYING: 1 },
  });
  t.deepEqual(scheduler.flagStatistics("value-state", ["interface/", HOST_LINK]).total, 3);
  t.deepEqual(scheduler.flagStatistics("last-update", ["interface"]), {
    total: 3,
    perValue: { "TXN-1": 2, "TXN-3": 1 },
  });
  t.deepEqual(scheduler.flagStatistics("error").perValue, { "update interface/my-tap broke down": 1 });
  t.deepEqual(scheduler.flagStatistics("derived").perValue, { "interface/my-tap": 1 });
  t.deepEqual(scheduler.flagStatistics("descriptor").perValue, {
    interface: 2,
    "interface-address/": 1,
    "route/": 1,
    [HOST_LINK]: 1,
  });
  t.is(scheduler.flagStatistics("unavailable").total, 2);
});

test("the graph can be drawn", async (t) => {
  const network = new Network();
  await network.commit({ 'interface/my-"tap"': { type: "tap", ip_addresses: ["10.0.0.1/24"] } });
  await network.commit({ "route/waiting": { interface: "nowhere" } });
  t.is(
    toDot(await network.scheduler.snapshot()),
    String.raw`digraph scheduler {
  rankdir=LR;
  node [shape=box, style=filled, fontname="sans-serif", fontsize=10];
  "interface-address/my-\"tap\"/10.0.0.1/24" [label="interface-address/my-\"tap\"/10.0.0.1/24\nCONFIGURED", fillcolor=palegreen, style="filled,rounded"];
  "interface/my-\"tap\"" [label="interface/my-\"tap\"\nCONFIGURED", fillcolor=palegreen];
  "route/waiting" [label="route/waiting\nPENDING\ninterface nowhere", fillcolor=khaki];
  "interface/my-\"tap\"" -> "interface-address/my-\"tap\"/10.0.0.1/24" [style=bold];
  "route/waiting" -> "interface/nowhere" [style=dashed, label="interface nowhere"];
}
`,
  );
});
