import test, { type ExecutionContext } from "ava";
import { type Interface, interfaceKey } from "#proto/index.js";
import { eventually } from "#test/support/eventually.js";
import { createNamespace, ip, link, links, run } from "#test/support/sandbox.js";
import {
  dropInterface,
  NetworkAgent,
  operations,
  states,
  wantInterface,
  wantNeighbour,
  wantRoute,
  wantRouteWithoutInterface,
  wantRule,
} from "./support/network.js";

/** What somebody else has made is left as it is. */
async function started(t: ExecutionContext, label: string): Promise<NetworkAgent> {
  const agent = await NetworkAgent.start(label, { "interface-watcher": { settle_delay: "1ms" } });
  t.teardown(() => agent.close());
  return agent;
}

const place = { namespace: { type: "NSID", reference: "shared" } } as const;
const SHARED = { namespace: "shared" };
const near = {
  type: "TAP",
  enabled: true,
  name: "near",
  ...place,
  ip_addresses: ["10.31.0.1/24"],
  tuntap: {},
} as const;
const desired = [
  wantInterface(near),
  wantRoute({ dst_network: "10.32.0.0/16", outgoing_interface: "near", gw_addr: "10.31.0.9" }),
  wantNeighbour({ interface: "near", ip_address: "10.31.0.8", hw_address: "02:00:00:00:31:08" }),
  wantRule({ priority: 1000, src_network: "10.33.0.0/16", table: 100, ...place }),
];

/** Links of others, by name, with what they are called in the mark of an agent. */
const SIMILAR: Readonly<Record<string, string>> = {
  near1: "",
  nea: "tenuto:own",
  Near: "tenuto:own2:near",
  "near-": "tenuto:ow:near",
  nearby: "tenuto:own",
  "near.5": "TENUTO:OWN:near",
  far: " tenuto:own:near",
};

/** Everything in the namespace that is not the agent's, without what changes by itself. */
async function ofOthers(): Promise<unknown> {
  const [all, routes, neighbours, rules] = await Promise.all([
    links(SHARED),
    ip("-details", "route", "show", "table", "all", SHARED),
    ip("neighbour", "show", "nud", "permanent", SHARED),
    ip("-details", "rule", "show", SHARED),
  ]);
  const others = all.filter(({ ifname }) => ifname !== "near" && ifname !== "lo");
  return {
    links: others.map(({ ifindex, ifname, ifalias, mtu, address, flags, addr_info: addresses }) => ({
      ...{ ifindex, ifname, ifalias, mtu, address, flags },
      addresses: addresses.map(({ local }) => local),
    })),
    routes: routes.filter(({ dev, protocol }) => dev !== "near" && protocol !== "199"),
    neighbours: neighbours.filter(({ dev }) => dev !== "near"),
    rules: rules.filter(({ protocol }) => protocol !== "199"),
  };
}

test.serial("links, addresses, routes, neighbours and rules of others stay, whatever they look like", async (t) => {
  await createNamespace("shared");
  for (const [name, alias] of Object.entries(SIMILAR)) {
    await run(["ip", "tuntap", "add", name, "mode", "tap"], SHARED);
    if (alias !== "") await run(["ip", "link", "set", name, "alias", alias], SHARED);
  }
  await run(["ip", "address", "add", "10.31.7.1/24", "dev", "near1"], SHARED);
  await run(["ip", "link", "set", "near1", "up"], SHARED);
  await run(["ip", "route", "add", "10.34.0.0/16", "dev", "near1", "proto", "198"], SHARED);
  await run(["ip", "neighbour", "add", "10.31.7.8", "lladdr", "02:00:00:00:31:08", "dev", "near1"], SHARED);
  await run(["ip", "rule", "add", "priority", "1001", "from", "10.33.0.0/16", "table", "100"], SHARED);
  const before = await ofOthers();

  const first = await started(t, "own");
  t.is((await first.commit(...desired)).error, "");
  t.deepEqual(await ofOthers(), before);
  await run(["ip", "address", "add", "10.31.1.1/24", "dev", "near"], SHARED);
  await run(["ip", "route", "add", "10.35.0.0/16", "via", "10.31.0.7", "proto", "198"], SHARED);
  for (let time = 0; time < 2; time++) t.deepEqual(operations(await first.resync(...desired)), []);
  await first.close();
  const second = await started(t, "own");
  t.deepEqual(operations(await second.resync(...desired)), []);
  t.true((await link("near", SHARED))?.addr_info.some(({ local }) => local === "10.31.1.1"));
  t.like(await ip("route", "show", "10.35.0.0/16", SHARED), [{ gateway: "10.31.0.7" }]);
  t.is((await second.commit(...desired.map(([key]) => [key, undefined] as const))).error, "");
  await second.resync();
  t.is(await link("near", SHARED), undefined);
  t.deepEqual(await ofOthers(), before);
});

test.serial("an interface that somebody else made is configured in every way, and never deleted", async (t) => {
  await run(["ip", "tuntap", "add", "eth9", "mode", "tap"]);
  const index = (await link("eth9"))?.ifindex;
  const uplink = { name: "uplink", type: "EXISTING", host_if_name: "eth9", enabled: true } as const;
  const agent = await started(t, "careful");
  await agent.commit(wantInterface(uplink));
  await eventually(() => agent.status(interfaceKey("uplink")).state === "CONFIGURED");
  const changes: readonly Partial<Interface>[] = [
    { mtu: 1400, phys_address: "02:00:00:00:00:99", ip_addresses: ["192.0.2.9/24"] },
    { enabled: false },
    { link_only: true },
    { host_if_name: "nobody" },
  ];
  for (const change of changes) await agent.commit(wantInterface({ ...uplink, ...change }));
  // Another type cannot take its place.
  const record = await agent.commit(wantInterface({ ...uplink, type: "BRIDGE", bridge: {} }));
  t.regex(states(record)[interfaceKey("uplink")] ?? "", /FAILED: .*host name eth9 is taken .*somebody else/);
  await agent.commit(wantInterface(uplink));
  await agent.commit(dropInterface("uplink"));
  t.is((await link("eth9"))?.ifindex, index);
  await agent.commit(wantInterface(uplink));
  await agent.close();
  const next = await started(t, "careful");
  await next.resync();
  t.is((await link("eth9"))?.ifindex, index);
});

test.serial("what the value leaves to the kernel may change: that is no difference", async (t) => {
  const agent = await started(t, "open");
  const all = [
    wantInterface({ name: "lower", type: "TAP", enabled: true, tuntap: {} }),
    wantInterface({ name: "upper", type: "MACVLAN", enabled: true, macvlan: { lower_interface: "lower" } }),
  ];
  t.is((await agent.commit(...all)).error, "");
  await run(["ip", "link", "set", "lower", "mtu", "1300", "address", "02:00:00:00:33:01", "txqueuelen", "7"]);
  await eventually(async () => (await link("upper"))?.mtu === 1300, { what: "the upper MTU to follow" });
  for (let time = 0; time < 2; time++) t.deepEqual(operations(await agent.resync(...all)), []);
  t.like(await link("lower"), { mtu: 1300, address: "02:00:00:00:33:01" });
  await agent.resync();
});

test.serial(
  "routes that a killed agent left, by links that nobody had named to the next one, are taken over",
  async (t) => {
    const agent = await started(t, "heir");
    for (const name of ["cable0", "cable1"]) {
      await run(["ip", "link", "add", name, "type", "bridge"]);
      await run(["ip", "link", "set", name, "up"]);
    }
    await run(["ip", "address", "add", "10.35.0.1/24", "dev", "cable0"]);
    await run(["ip", "address", "add", "10.36.0.1/24", "dev", "cable1"]);
    await run(["ip", "route", "add", "10.37.0.0/16", "via", "10.35.0.8", "proto", "199"]);
    await run(["ip", "route", "add", "10.38.0.0/16", "via", "10.35.0.8", "proto", "199", "metric", "5"]);
    await run(["ip", "route", "add", "10.39.0.0/16", "via", "10.35.0.8", "proto", "static"]);
    const cable = (name: string, ...ip_addresses: readonly string[]) =>
      wantInterface({ name, type: "EXISTING", host_if_name: name, enabled: true, ip_addresses });
    const hops = ["0", "1"].map((n) => ({ outgoing_interface: `cable${n}`, gw_addr: `10.3${5 + Number(n)}.0.9` }));
    const record = await agent.commit(
      cable("cable0", "10.35.0.2/24"),
      cable("cable1", "10.36.0.2/24"),
      wantRoute({ dst_network: "10.37.0.0/16", outgoing_interface: "cable0", gw_addr: "10.35.0.9" }),
      wantRouteWithoutInterface({ dst_network: "10.38.0.0/16", metric: 5, next_hops: hops }),
      wantRoute({ dst_network: "10.39.0.0/16", outgoing_interface: "cable0", gw_addr: "10.35.0.9" }),
    );
    t.regex(record.error, /another route to 10.39.0.0\/16 with the same metric is there already, which is left alone/);
    const routes = await ip<{ dst: string; gateway?: string; nexthops?: object[] }>("route", "show");
    const to = (network: string) => routes.find(({ dst }) => dst === network);
    t.is(to("10.37.0.0/16")?.gateway, "10.35.0.9");
    t.is(to("10.38.0.0/16")?.nexthops?.length, 2);
    t.is(to("10.39.0.0/16")?.gateway, "10.35.0.8");
    t.deepEqual(
      agent.scheduler.statuses("config/linux/l3/v2/route/").map(({ state }) => state),
      ["CONFIGURED", "CONFIGURED", "FAILED"],
    );
  },
);
