import test from "ava";
import { interfaceKey, type Route, routeKey } from "#proto/index.js";
import { ip, run } from "#test/support/sandbox.js";
import { NetworkAgent, operations, wantInterface, wantRoute } from "./support/network.js";

interface RouteView {
  readonly dst: string;
  readonly gateway?: string;
  readonly metric?: number;
  readonly protocol?: string;
  readonly table?: string;
}

const INSIDE = { namespace: "resynced" };
const COUNT = 400;

const near = {
  name: "near",
  type: "VETH",
  enabled: true,
  namespace: { type: "NSID", reference: "resynced" },
  ip_addresses: ["10.31.0.1/16", "fd00:31::1/64"],
  veth: { peer_if_name: "far" },
} as const;
const far = { name: "far", type: "VETH", enabled: true, veth: { peer_if_name: "near" } } as const;
const gateway = "10.31.0.2";

function network(n: number): string {
  return `10.${100 + (n >> 8)}.${n & 255}.0/24`;
}

function routeTo(dst_network: string, more: Partial<Route> = {}) {
  return wantRoute({ outgoing_interface: "near", dst_network, gw_addr: gateway, ...more });
}

const desired = [
  ...Array.from({ length: COUNT }, (_, n) => routeTo(network(n))),
  ...Array.from({ length: 20 }, (_, n) => routeTo(`fd00:${n + 100}::/64`, { gw_addr: "fd00:31::2" })),
  routeTo("10.120.0.0/24", { metric: 50 }),
  routeTo("10.121.0.0/24", { scope: "LINK", gw_addr: "" }),
];

/** All routes but those that the kernel makes itself. */
async function inKernel(): Promise<readonly RouteView[]> {
  const views = await Promise.all(
    (["-4", "-6"] as const).map((family) => ip<RouteView>(family, "-details", "route", "show", "table", "all", INSIDE)),
  );
  return views
    .flat()
    .filter(({ protocol }) => protocol !== "kernel")
    .sort((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1));
}

let agent: NetworkAgent;
test.beforeEach(async () => {
  // Only resyncs look.
  agent = await NetworkAgent.start("resync", { "linux-drift": { policy: "ignore" } });
  await agent.commit(wantInterface(near), wantInterface(far), ...desired);
  await isRight();
  await isRight();
});
test.afterEach.always(async () => {
  await agent.resync();
  await agent.close();
});

/** A resync finds nothing to do. */
async function isRight(): Promise<void> {
  const record = await agent.scheduler.resyncDownstream();
  if (record.error !== "" || record.executed.length > 0) {
    throw new Error(`a resync of what is right: ${record.error} ${operations(record).join()}`);
  }
}

const key = (dst: string): string => routeKey(dst, "near");
const some = "10.100.200.0/24";
const other = "10.101.7.0/24";

/** What somebody else does to the routes, and what a resync does about it. */
const changes: Readonly<Record<string, { readonly done: readonly string[]; readonly repaired: readonly string[] }>> = {
  "one is removed": { done: [`route del ${some}`], repaired: [`CREATE ${key(some)}`] },
  "two are removed, far from each other": {
    done: [`route del ${some}`, `route del ${other}`],
    repaired: [`CREATE ${key(some)}`, `CREATE ${key(other)}`],
  },
  "one gets another gateway": {
    done: [`route replace ${some} via 10.31.0.3 proto 199`],
    repaired: [`UPDATE ${key(some)}`],
  },
  "some are taken away and put back": {
    done: [
      `route replace ${some} via 10.31.0.3 proto 199`,
      `route replace ${some} via ${gateway} proto 199`,
      `route del ${other}`,
      `route add ${other} via ${gateway} proto 199`,
    ],
    repaired: [],
  },
  "one is replaced by a foreign one": {
    done: [`route replace ${some} via 10.31.0.3 proto static`],
    repaired: [`UPDATE ${key(some)}`],
  },
  "an IPv6 one is removed": { done: ["-6 route del fd00:105::/64"], repaired: [`CREATE ${key("fd00:105::/64")}`] },
  "one with a metric is removed": {
    done: ["route del 10.120.0.0/24"],
    repaired: [`CREATE ${key("10.120.0.0/24")};metric=50`],
  },
  "hundreds are removed": {
    done: ["route flush root 10.100.0.0/16"],
    repaired: Array.from({ length: 256 }, (_, n) => `CREATE ${key(network(n))}`),
  },
};

for (const [name, { done, repaired }] of Object.entries(changes)) {
  test.serial(`after resyncs that found all well, the next finds what is different: ${name}`, async (t) => {
    const before = await inKernel();
    for (const command of done) await inside(command);
    const record = await agent.scheduler.resyncDownstream();
    t.is(record.error, "");
    t.deepEqual([...operations(record)].sort(), [...repaired].sort());
    t.deepEqual(await inKernel(), before);
    await t.notThrowsAsync(isRight());
  });
}

test.serial("one of ours that nobody asked for is left alone, until somebody deletes it", async (t) => {
  const before = await inKernel();
  const added = {
    [key("10.140.0.0/24")]: "10.140.0.0/24",
    [`${key(some)};metric=9`]: `${some} metric 9`,
    [`${key(some)};table=77`]: `${some} table 77`,
  };
  for (const route of Object.values(added)) await inside(`route add ${route} via ${gateway} proto 199`);
  t.deepEqual(operations(await agent.scheduler.resyncDownstream()), []);
  for (const orphan of Object.keys(added)) {
    t.is(agent.status(orphan).state, "DISCOVERED", orphan);
    t.deepEqual(operations(await agent.commit([orphan, undefined])), [`DELETE ${orphan}`]);
  }
  t.deepEqual(await inKernel(), before);
});

test.serial("a foreign route to the same network is left alone, before and after", async (t) => {
  await inside(`route add ${some} via 10.31.0.3 metric 9 proto static`);
  await t.notThrowsAsync(isRight());
  await inside(`route del ${some} metric 0`);
  const record = await agent.scheduler.resyncDownstream();
  t.deepEqual(operations(record), [`CREATE ${key(some)}`]);
  t.deepEqual(
    (await ip<RouteView>("route", "show", some, INSIDE)).map((view) => view.gateway),
    [gateway, "10.31.0.3"],
  );
});

test.serial("what was changed by a transaction since the last resync is compared anew", async (t) => {
  await agent.commit(routeTo(some, { gw_addr: "10.31.0.9" }), [key(other), undefined], routeTo("10.150.0.0/24"));
  await t.notThrowsAsync(isRight());
  const before = await inKernel();
  // All as it was when the first resyncs found it so.
  await inside(`route replace ${some} via ${gateway} proto 199`);
  await inside("route del 10.150.0.0/24");
  const record = await agent.scheduler.resyncDownstream();
  t.deepEqual([...operations(record)].sort(), [`CREATE ${key("10.150.0.0/24")}`, `UPDATE ${key(some)}`]);
  t.deepEqual(await inKernel(), before);
});

test.serial("routes of a link that was made anew are not taken for those of the old one", async (t) => {
  const { index } = agentInterface();
  await agent.commit([interfaceKey("far"), undefined]);
  await agent.commit(wantInterface(far));
  t.not(agentInterface().index, index);
  await t.notThrowsAsync(isRight());
  await inside(`route del ${some}`);
  t.deepEqual(operations(await agent.scheduler.resyncDownstream()), [`CREATE ${key(some)}`]);
});

function agentInterface(): { readonly index: number } {
  const metadata = agent.scheduler.metadata<{ index: number }>("linux-interface")?.get(interfaceKey("near"));
  if (metadata === undefined) throw new Error("near has no metadata");
  return metadata;
}

async function inside(command: string): Promise<void> {
  await run(["ip", ...command.split(" ")], INSIDE);
}
