import test from "ava";
import { interfaceKey, routeKey } from "#proto/index.js";
import { addressesOf, ip, link, run } from "#test/support/sandbox.js";
import {
  type Desired,
  NetworkAgent,
  operations,
  states,
  wantInterface,
  wantNeighbour,
  wantRoute,
} from "./support/network.js";

interface RouteView {
  readonly dst: string;
  readonly gateway?: string;
  readonly dev: string;
  readonly metric?: number;
  readonly scope?: string;
}

const INSIDE = { namespace: "routed" };

/** Routes of ours in the namespace, as iproute2 reads them. */
function ours(family: "-4" | "-6" = "-4"): Promise<readonly RouteView[]> {
  return ip<RouteView>(family, "-details", "route", "show", "table", "all", "proto", "199", INSIDE);
}

const left = {
  name: "left",
  type: "VETH",
  enabled: true,
  namespace: { type: "NSID", reference: "routed" },
  ip_addresses: ["10.21.0.1/24", "fd00:21::1/64"],
  veth: { peer_if_name: "right" },
} as const;
const right = { name: "right", type: "VETH", enabled: true, veth: { peer_if_name: "left" } } as const;

const viaGateway = { outgoing_interface: "left", dst_network: "10.50.0.0/16", gw_addr: "10.21.0.254" } as const;

let agent: NetworkAgent;
test.beforeEach(async () => {
  agent = await NetworkAgent.start("l3");
});
test.afterEach.always(async () => {
  await agent.resync();
  await agent.close();
});

const routes = {
  "through a gateway": { value: viaGateway, seen: { dst: "10.50.0.0/16", gateway: "10.21.0.254", scope: "global" } },
  "to the link": {
    value: { outgoing_interface: "left", dst_network: "10.51.0.0/16" },
    seen: { dst: "10.51.0.0/16", scope: "link" },
  },
  "to the link, with the gateway of nobody": {
    value: { outgoing_interface: "left", dst_network: "10.54.0.0/16", gw_addr: "0.0.0.0" },
    seen: { dst: "10.54.0.0/16", gateway: undefined, scope: "link" },
  },
  "IPv6 to the link, with the gateway of nobody": {
    value: { outgoing_interface: "left", dst_network: "fd00:54::/32", gw_addr: "::" },
    seen: { dst: "fd00:54::/32", gateway: undefined },
  },
  "the default route": {
    value: { outgoing_interface: "left", dst_network: "0.0.0.0/0", gw_addr: "10.21.0.254", metric: 50 },
    seen: { dst: "default", gateway: "10.21.0.254", metric: 50 },
  },
  "on the host": {
    value: { outgoing_interface: "left", dst_network: "10.52.0.1/32", scope: "HOST" },
    seen: { dst: "10.52.0.1", scope: "host" },
  },
  "IPv6 through a gateway": {
    value: { outgoing_interface: "left", dst_network: "FD00:50::/32", gw_addr: "fd00:21:0::fe" },
    seen: { dst: "fd00:50::/32", gateway: "fd00:21::fe", metric: 1024 },
  },
  "IPv6 through a link-local gateway": {
    value: { outgoing_interface: "left", dst_network: "::/0", gw_addr: "fe80::1", metric: 9 },
    seen: { dst: "default", gateway: "fe80::1", metric: 9 },
  },
  "with a table, a source and a gateway that no address vouches for": {
    value: {
      outgoing_interface: "left",
      dst_network: "10.53.0.0/16",
      gw_addr: "192.0.2.1",
      on_link: true,
      table: 77,
      preferred_source: "10.21.0.1",
    },
    seen: { dst: "10.53.0.0/16", gateway: "192.0.2.1", table: "77", prefsrc: "10.21.0.1", flags: ["onlink"] },
  },
} as const;

for (const [what, { value, seen }] of Object.entries(routes)) {
  test.serial(`a route: ${what}`, async (t) => {
    const route = wantRoute(value);
    const record = await agent.commit(wantInterface(left), wantInterface(right), route);
    t.is(record.error, "", JSON.stringify(states(record)));
    const [view] = await ours(value.dst_network.includes(":") ? "-6" : "-4");
    t.like(view, { ...seen, dev: "left" });
    t.deepEqual(operations(await agent.resync(wantInterface(left), wantInterface(right), route)), []);
    await agent.commit([route[0], undefined]);
    t.deepEqual([...(await ours()), ...(await ours("-6"))], []);
  });
}

test.serial("a route waits for its interface, for it to be up, and for its gateway to be reachable", async (t) => {
  const key = routeKey(viaGateway.dst_network, "left");
  const waitsFor = () => [...agent.status(key).details].sort();
  await agent.commit(wantRoute(viaGateway));
  t.deepEqual(waitsFor(), [
    "gateway 10.21.0.254 to be reachable through interface left",
    "interface left",
    "interface left to be up",
  ]);
  await agent.commit(wantInterface({ ...left, ip_addresses: [], enabled: false }), wantInterface(right));
  t.deepEqual(waitsFor(), ["gateway 10.21.0.254 to be reachable through interface left", "interface left to be up"]);
  await agent.commit(wantInterface({ ...left, ip_addresses: [] }));
  t.deepEqual(waitsFor(), ["gateway 10.21.0.254 to be reachable through interface left"]);
  await agent.commit(wantInterface(left));
  t.is(agent.status(key).state, "CONFIGURED");
  t.is((await ours()).length, 1);
});

test.serial("a gateway may be in a route to the link", async (t) => {
  const record = await agent.commit(
    wantInterface(left),
    wantInterface(right),
    wantRoute({ outgoing_interface: "left", dst_network: "10.60.0.0/16", gw_addr: "192.0.2.9" }),
    wantRoute({ outgoing_interface: "left", dst_network: "192.0.2.0/24" }),
  );
  t.is(record.error, "");
  t.deepEqual((await ours()).map(({ dst }) => dst).sort(), ["10.60.0.0/16", "192.0.2.0/24"]);
  t.like(agent.status(routeKey("192.0.2.0/24", "left")).derived, [
    { key: "linux/link-local-route/left/dest-address/192.0.2.0/24", state: "CONFIGURED" },
  ]);
  await agent.commit([routeKey("192.0.2.0/24", "left"), undefined]);
  t.like(agent.status(routeKey("10.60.0.0/16", "left")), { state: "PENDING" });
  t.deepEqual(await ours(), []);
});

test.serial("a scope says nothing about an IPv6 route: without a gateway it leads to the link", async (t) => {
  const route = { outgoing_interface: "left", dst_network: "fd00:55::/64" };
  await agent.commit(wantInterface(left), wantInterface(right), wantRoute({ ...route, scope: "GLOBAL" }));
  t.like(agent.status(routeKey("fd00:55::/64", "left")).derived, [{ state: "CONFIGURED" }]);
  t.deepEqual(operations(await agent.commit(wantRoute({ ...route, scope: "SITE" }))), []);
  t.deepEqual(operations(await agent.commit(wantRoute(route))), []);
});

const interruptions = {
  "goes down": { enabled: false },
  "is made anew": { veth: { peer_if_name: "other" } },
} as const;

for (const [what, change] of Object.entries(interruptions)) {
  test.serial(`routes and neighbours come back after their interface ${what} and returns`, async (t) => {
    const neighbour = wantNeighbour({ interface: "left", ip_address: "10.21.0.9", hw_address: "02:00:00:00:21:09" });
    await agent.commit(wantInterface(left), wantInterface(right), wantRoute(viaGateway), neighbour);
    await agent.commit(wantInterface({ ...left, ...change }));
    t.is(agent.status(routeKey(viaGateway.dst_network, "left")).state, "PENDING");
    const record = await agent.commit(wantInterface(left));
    t.is(record.error, "");
    t.is((await ours()).length, 1);
    t.like((await ip("neighbour", "show", "nud", "permanent", INSIDE))[0], {
      dst: "10.21.0.9",
      lladdr: "02:00:00:00:21:09",
    });
  });
}

const addressChanges = {
  "another network": ["10.22.0.1/24"],
  "another host": ["10.21.0.7/24"],
  "one less of a network": ["10.21.0.2/24"],
  none: [],
} as const;

for (const [what, after] of Object.entries(addressChanges)) {
  test.serial(`what rests on an interface and not on its addresses is there when these change: ${what}`, async (t) => {
    const before = { ...left, ip_addresses: ["10.21.0.1/24", "10.21.0.2/24"] };
    const toLink = wantRoute({ outgoing_interface: "left", dst_network: "10.51.0.0/16" });
    const beyond = wantRoute({ outgoing_interface: "left", dst_network: "10.52.0.0/16", gw_addr: "10.51.0.9" });
    const neighbour = wantNeighbour({ interface: "left", ip_address: "10.21.0.9", hw_address: "02:00:00:00:21:09" });
    await agent.commit(wantInterface(before), wantInterface(right), toLink, beyond, neighbour);
    const record = await agent.commit(wantInterface({ ...left, ip_addresses: after }));
    t.is(record.error, "");
    t.deepEqual(
      (await ours()).map(({ dst }) => dst),
      ["10.51.0.0/16", "10.52.0.0/16"],
    );
    t.is((await ip("neighbour", "show", "nud", "permanent", INSIDE)).length, 1);
  });
}

test.serial("an IPv6 address gets another prefix length, and what rests on it stays", async (t) => {
  const route = wantRoute({ outgoing_interface: "left", dst_network: "fd00:50::/32", gw_addr: "fd00:21::9" });
  await agent.commit(wantInterface(left), wantInterface(right), route);
  for (const length of [48, 64]) {
    const record = await agent.commit(
      wantInterface({ ...left, ip_addresses: ["10.21.0.1/24", `fd00:21::1/${length}`] }),
    );
    t.is(record.error, "", JSON.stringify(states(record)));
    t.deepEqual(addressesOf((await link("left", INSIDE))!), ["10.21.0.1/24", `fd00:21::1/${length}`]);
    t.like(await ours("-6"), [{ dst: "fd00:50::/32", gateway: "fd00:21::9" }]);
    t.deepEqual(operations(await agent.scheduler.resyncDownstream()), []);
  }
});

test.serial("routes follow their interface into another namespace", async (t) => {
  await agent.commit(wantInterface(left), wantInterface(right), wantRoute(viaGateway));
  const moved = { ...left, namespace: { type: "NSID", reference: "routed-too" } } as const;
  const record = await agent.commit(wantInterface(moved));
  t.is(record.error, "");
  const there = await ip<RouteView>("route", "show", "proto", "199", { namespace: "routed-too" });
  t.like(there[0], { dst: "10.50.0.0/16", gateway: "10.21.0.254", dev: "left" });
});

const changes = {
  gateway: { gw_addr: "10.21.0.253" },
  metric: { metric: 17 },
  scope: { scope: "SITE" },
} as const;

for (const [what, change] of Object.entries(changes)) {
  test.serial(`a change of a route: ${what}`, async (t) => {
    await agent.commit(wantInterface(left), wantInterface(right), wantRoute(viaGateway));
    const [before, after] = [wantRoute(viaGateway), wantRoute({ ...viaGateway, ...change })];
    const given: readonly Desired[] = before[0] === after[0] ? [] : [[before[0], undefined]];
    const record = await agent.commit(after, ...given);
    t.is(record.error, "");
    const seen = await ours();
    t.is(seen.length, 1);
    t.is(seen[0]?.gateway, "gw_addr" in change ? change.gw_addr : viaGateway.gw_addr);
    if ("metric" in change) t.is(seen[0]?.metric, change.metric);
    if ("scope" in change) t.is(seen[0]?.scope, "site");
  });
}

test.serial("a foreign route to the same destination stays, and the value says so", async (t) => {
  await agent.commit(wantInterface(left), wantInterface(right));
  await run(["ip", "route", "add", "10.50.0.0/16", "via", "10.21.0.7"], INSIDE);
  const record = await agent.commit(wantRoute(viaGateway));
  t.regex(
    Object.values(states(record)).join(),
    /FAILED: .*10.50.0.0\/16\/left: another route to 10.50.0.0\/16 .*left alone/,
  );
  await agent.resync(wantInterface(left), wantInterface(right));
  t.like((await ip("route", "show", "10.50.0.0/16", INSIDE))[0], { gateway: "10.21.0.7" });
});

test.serial("routes and neighbours that are desired no more go with a resync", async (t) => {
  const neighbour = wantNeighbour({ interface: "left", ip_address: "10.21.0.9", hw_address: "02:00:00:00:21:09" });
  await agent.commit(wantInterface(left), wantInterface(right), wantRoute(viaGateway), neighbour);
  await agent.close();
  agent = await NetworkAgent.start("l3");
  await agent.resync(wantInterface(left), wantInterface(right));
  t.is(agent.status(interfaceKey("left")).state, "CONFIGURED");
  t.deepEqual(await ours(), []);
});

test.serial("10,000 routes come and go in one transaction each", async (t) => {
  await agent.commit(wantInterface(left), wantInterface(right));
  const many = Array.from({ length: 10_000 }, (_, i) =>
    wantRoute({ ...viaGateway, dst_network: `10.${128 + (i >> 8)}.${i & 255}.0/24` }),
  );
  const start = performance.now();
  const made = await agent.commit(...many);
  const between = performance.now();
  t.is(made.error, "");
  t.is((await ours()).length, 10_000);
  const again = performance.now();
  await agent.commit(...many.map(([key]) => [key, undefined] as const));
  t.log(`made in ${Math.round(between - start)} ms, removed in ${Math.round(performance.now() - again)} ms`);
  t.deepEqual(await ours(), []);
});
