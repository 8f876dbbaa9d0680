import test from "ava";
import { interfaceKey, ROUTE_PREFIX, type Route } from "#proto/index.js";
import { eventually } from "#test/support/eventually.js";
import { createNamespace, deleteNamespace, ip, run } from "#test/support/sandbox.js";
import {
  NetworkAgent,
  operations,
  states,
  wantInterface,
  wantRoute,
  wantRouteWithoutInterface,
} from "./support/network.js";

interface RouteView {
  readonly type: string;
  readonly dst: string;
  readonly metric?: number;
  readonly table?: string;
  readonly gateway?: string;
  readonly nexthops?: readonly { readonly gateway?: string; readonly dev: string; readonly weight: number }[];
  readonly metrics?: readonly { readonly mtu?: number }[];
}

const INSIDE = { namespace: "several" };

function ours(family: "-4" | "-6" = "-4", options = INSIDE): Promise<readonly RouteView[]> {
  return ip<RouteView>(family, "-details", "route", "show", "table", "all", "proto", "199", options);
}

const place = { namespace: { type: "NSID", reference: "several" } } as const;
const end = { type: "VETH", enabled: true } as const;
const interfaces = [
  wantInterface({
    ...end,
    ...place,
    name: "one",
    ip_addresses: ["10.81.0.1/24", "fd00:81::1/64"],
    veth: { peer_if_name: "one-far" },
  }),
  wantInterface({ ...end, name: "one-far", veth: { peer_if_name: "one" } }),
  wantInterface({
    ...end,
    ...place,
    name: "two",
    ip_addresses: ["10.82.0.1/24", "fd00:82::1/64"],
    veth: { peer_if_name: "two-far" },
  }),
  wantInterface({ ...end, name: "two-far", veth: { peer_if_name: "two" } }),
];

let agent: NetworkAgent;
test.beforeEach(async () => {
  agent = await NetworkAgent.start("routes", { "linux-namespaces": { check_interval: "50ms" } });
});
test.afterEach.always(async () => {
  await agent.resync();
  await agent.close();
});

const routes: Readonly<Record<string, { readonly value: Route; readonly seen: Partial<RouteView> }>> = {
  "several next hops": {
    value: {
      dst_network: "10.90.0.0/16",
      next_hops: [
        { outgoing_interface: "two", gw_addr: "10.82.0.9", weight: 3 },
        { outgoing_interface: "one", gw_addr: "10.81.0.9" },
      ],
    },
    seen: { type: "unicast", dst: "10.90.0.0/16" },
  },
  "several next hops, IPv6": {
    value: {
      dst_network: "fd00:90::/32",
      metric: 7,
      next_hops: [
        { outgoing_interface: "one", gw_addr: "fd00:81::9" },
        { outgoing_interface: "two", gw_addr: "fd00:82::9" },
      ],
    },
    seen: { type: "unicast", dst: "fd00:90::/32", metric: 7 },
  },
  "several next hops on the link": {
    value: { dst_network: "10.91.0.0/16", next_hops: [{ outgoing_interface: "one" }, { outgoing_interface: "two" }] },
    seen: { type: "unicast", dst: "10.91.0.0/16" },
  },
  blackhole: {
    value: { dst_network: "10.92.0.0/16", type: "BLACKHOLE", ...place },
    seen: { type: "blackhole", dst: "10.92.0.0/16" },
  },
  "unreachable, IPv6, in a table": {
    value: { dst_network: "fd00:92::/32", type: "UNREACHABLE", table: 500, ...place },
    seen: { type: "unreachable", dst: "fd00:92::/32", table: "500" },
  },
  prohibit: {
    value: { dst_network: "10.93.0.0/16", type: "PROHIBIT", metric: 12, ...place },
    seen: { type: "prohibit", dst: "10.93.0.0/16", metric: 12 },
  },
  "with an MTU": {
    value: { outgoing_interface: "one", dst_network: "10.94.0.0/16", gw_addr: "10.81.0.9", mtu: 1380 },
    seen: { dst: "10.94.0.0/16", gateway: "10.81.0.9", metrics: [{ mtu: 1380 }] },
  },
};

for (const [what, { value, seen }] of Object.entries(routes)) {
  test.serial(`a route: ${what}`, async (t) => {
    const route = wantRouteWithoutInterface(value);
    const record = await agent.commit(...interfaces, route);
    t.is(record.error, "", JSON.stringify(states(record)));
    const family = value.dst_network?.includes(":") ? "-6" : "-4";
    const [view, ...more] = await ours(family);
    t.like(view, seen);
    t.is(more.length, 0);
    if (value.next_hops !== undefined) {
      const hops = (view?.nexthops ?? []).map(({ dev, gateway, weight }) => `${dev} ${gateway} ${weight}`);
      const desired = value.next_hops.map((hop) => `${hop.outgoing_interface} ${hop.gw_addr} ${hop.weight ?? 1}`);
      t.deepEqual(hops.sort(), desired.sort());
    }
    t.deepEqual(operations(await agent.scheduler.resyncDownstream()), []);
    await agent.close();
    agent = await NetworkAgent.start("routes");
    t.deepEqual(operations(await agent.resync(...interfaces, route)), []);
    await agent.commit([route[0], undefined]);
    t.deepEqual(await ours(family), []);
  });
}

test.serial("a route by several hops waits for each of them, and follows changes in place", async (t) => {
  const hops = [
    { outgoing_interface: "one", gw_addr: "10.81.0.9" },
    { outgoing_interface: "two", gw_addr: "10.82.0.9" },
  ];
  const route = wantRouteWithoutInterface({ dst_network: "10.90.0.0/16", next_hops: hops });
  await agent.commit(...interfaces.slice(0, 2), route);
  const lacks = () => agent.status(route[0]).derived.flatMap(({ details }) => details);
  t.deepEqual([...lacks()].sort(), [
    "gateway 10.82.0.9 to be reachable through interface two",
    "interface two",
    "interface two to be up",
  ]);
  await agent.commit(...interfaces);
  t.deepEqual(lacks(), []);
  t.is(agent.status(route[0]).state, "CONFIGURED");
  const changed = [
    { ...hops[0], weight: 5 },
    { outgoing_interface: "two", gw_addr: "10.82.0.8" },
  ];
  const record = await agent.commit(wantRouteWithoutInterface({ dst_network: "10.90.0.0/16", next_hops: changed }));
  t.is(record.error, "");
  const [view] = await ours();
  t.deepEqual(
    new Set(view?.nexthops?.map(({ gateway, weight }) => `${gateway} ${weight}`)),
    new Set(["10.81.0.9 5", "10.82.0.8 1"]),
  );
});

test.serial("next hops in different namespaces are refused, and the rest is made", async (t) => {
  const route = wantRouteWithoutInterface({
    dst_network: "10.90.0.0/16",
    next_hops: [{ outgoing_interface: "one" }, { outgoing_interface: "one-far" }],
  });
  const record = await agent.commit(...interfaces, route);
  const errors = record.values.find(({ key }) => key === route[0])?.derived.map(({ error }) => error);
  t.regex(errors?.join() ?? "", /next_hops: the interfaces (one, one-far|one-far, one) are in different/);
  t.is(agent.status(interfaceKey("one")).state, "CONFIGURED");
});

test.serial("a change of the table moves a route", async (t) => {
  const value = { outgoing_interface: "one", dst_network: "10.95.0.0/16", gw_addr: "10.81.0.9" } as const;
  await agent.commit(...interfaces, wantRoute(value));
  const [main, other] = [wantRoute(value), wantRoute({ ...value, table: 321 })];
  const record = await agent.commit([main[0], undefined], other);
  t.is(record.error, "");
  t.deepEqual(
    (await ours()).map(({ dst, table }) => ({ dst, table })),
    [{ dst: "10.95.0.0/16", table: "321" }],
  );
  await agent.commit(main, [other[0], undefined]);
  t.deepEqual(
    (await ours()).map(({ table }) => table),
    ["main"],
  );
});

test.serial("a routes without a next hop goes to pending with its namespace, and returns with it", async (t) => {
  await createNamespace("void");
  const route = wantRouteWithoutInterface({
    dst_network: "10.96.0.0/16",
    type: "BLACKHOLE",
    namespace: { type: "NSID", reference: "void" },
  });
  await agent.commit(route);
  t.is((await ours("-4", { namespace: "void" })).length, 1);
  await deleteNamespace("void");
  await eventually(() => agent.status(route[0]).state === "PENDING");
  await createNamespace("void");
  await eventually(() => agent.status(route[0]).state === "CONFIGURED");
  t.is((await ours("-4", { namespace: "void" })).length, 1);
});

test.serial("of two routes of ours to one network a resync keeps the one that is desired", async (t) => {
  const value = { outgoing_interface: "one", dst_network: "10.97.0.0/16", gw_addr: "10.81.0.9", metric: 20 } as const;
  await agent.commit(...interfaces, wantRoute(value));
  for (const metric of ["10", "30"]) {
    await run(["ip", "route", "add", "10.97.0.0/16", "via", "10.81.0.7", "metric", metric, "proto", "199"], INSIDE);
  }
  const record = await agent.resync(...interfaces, wantRoute(value));
  t.is(record.error, "");
  t.deepEqual(operations(record).length, 2);
  t.like(await ours(), [{ metric: 20, gateway: "10.81.0.9" }]);
  t.is((await ours()).length, 1);
});

test.serial("routes are read back as iproute2 reads them", async (t) => {
  const desired = Object.values(routes).map(({ value }) => wantRouteWithoutInterface(value));
  await agent.commit(...interfaces, ...desired);
  const read = await agent.scheduler.dump("southbound", ROUTE_PREFIX);
  const views = [...(await ours("-4")), ...(await ours("-6"))];
  t.is(read.length, views.length);
  for (const { value } of read) {
    const route: Route = value;
    const view = views.find(({ dst }) => dst === route.dst_network);
    t.is(view?.type, (route.type ?? "UNICAST").toLowerCase());
    t.is(view?.nexthops?.length, route.next_hops?.length);
    t.is(view?.gateway, route.gw_addr);
    t.is(view?.table, String(route.table ?? "main"));
  }
});

const refused: Readonly<Record<string, Route>> = {
  "next_hops[1]": {
    dst_network: "10.0.0.0/8",
    next_hops: [{ outgoing_interface: "one" }, { outgoing_interface: "one", weight: 2 }],
  },
  "next_hops[1].gw_addr": {
    dst_network: "10.0.0.0/8",
    next_hops: [{ outgoing_interface: "one" }, { outgoing_interface: "two", gw_addr: "10.0.0.x" }],
  },
  "next_hops[0].weight": {
    dst_network: "10.0.0.0/8",
    next_hops: [{ outgoing_interface: "one", weight: 257 }, { outgoing_interface: "two" }],
  },
  gw_addr: { dst_network: "10.0.0.0/8", type: "BLACKHOLE", gw_addr: "10.1.1.1" },
  namespace: { dst_network: "10.0.0.0/8", outgoing_interface: "one", ...place },
  "namespace.reference": { dst_network: "10.0.0.0/8", type: "PROHIBIT", namespace: { type: "PID", reference: "x" } },
  on_link: { dst_network: "10.0.0.0/8", outgoing_interface: "one", on_link: true },
};

for (const [field, value] of Object.entries(refused)) {
  test.serial(`an invalid route names its field: ${field}`, async (t) => {
    const route = wantRouteWithoutInterface(value);
    const record = await agent.commit(route);
    t.true((states(record)[route[0]] ?? "").startsWith(`INVALID: ${field}: `), JSON.stringify(states(record)));
  });
}
