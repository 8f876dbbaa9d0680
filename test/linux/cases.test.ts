import test from "ava";
import type { Route } from "#proto/index.js";
import { eventually } from "#test/support/eventually.js";
import { createNamespace, ip, run } from "#test/support/sandbox.js";
import {
  type Desired,
  dropInterface,
  NetworkAgent,
  operations,
  states,
  wantInterface,
  wantRouteWithoutInterface,
  wantRule,
} from "./support/network.js";

/**
 * What people who do this job reported elsewhere: the report is in the title.
 */

interface RouteView {
  readonly type?: string;
  readonly dst: string;
  readonly gateway?: string;
  readonly via?: { readonly family: string; readonly host: string };
  readonly dev?: string;
  readonly prefsrc?: string;
  readonly nexthops?: readonly HopView[];
}

interface HopView {
  readonly gateway?: string | undefined;
  readonly dev: string;
  readonly weight: number;
}

const end = { type: "VETH", enabled: true } as const;
const far = { type: "NSID", reference: "far" } as const;
const route = (value: Route): Desired => wantRouteWithoutInterface(value);

let agent: NetworkAgent;
test.before(async () => {
  await createNamespace("far");
});
test.beforeEach(async () => {
  agent = await NetworkAgent.start("cases", { "interface-watcher": { settle_delay: "10ms" } });
});
test.afterEach.always(async () => {
  await agent.resync();
  await agent.close();
});

/** Gateways of a route of ours, by the way each hop leaves: `10.1.1.2 e1 2`. */
async function hops(destination: string): Promise<readonly string[]> {
  const family = destination.includes(":") ? "-6" : "-4";
  const views = await ip<RouteView>(family, "-details", "route", "show", destination);
  return views
    .flatMap(({ nexthops, gateway, dev = "" }): readonly HopView[] => nexthops ?? [{ gateway, dev, weight: 1 }])
    .map(({ gateway, dev, weight }) => `${gateway} ${dev} ${weight}`)
    .sort();
}

async function applied(...changes: readonly Desired[]): Promise<void> {
  const record = await agent.scheduler.commit({ changes, atomic: true });
  if (record.error !== "" || record.reverted) throw new Error(`${record.error} ${JSON.stringify(states(record))}`);
}

async function nothingToDo(): Promise<readonly string[]> {
  return operations(await agent.scheduler.resyncDownstream());
}

const e1 = { ...end, name: "e1", ip_addresses: ["10.1.1.1/24", "fd01::1/64"], veth: { peer_if_name: "f1" } };
const f1 = {
  ...end,
  name: "f1",
  namespace: far,
  ip_addresses: ["10.1.1.2/24", "fd01::2/64"],
  veth: { peer_if_name: "e1" },
};
const e2 = { ...end, name: "e2", ip_addresses: ["10.1.2.1/24", "fd02::1/64"], veth: { peer_if_name: "f2" } };
const f2 = {
  ...end,
  name: "f2",
  namespace: far,
  ip_addresses: ["10.1.2.2/24", "fd02::2/64"],
  veth: { peer_if_name: "e2" },
};
const pairs = [wantInterface(e1), wantInterface(f1), wantInterface(e2), wantInterface(f2)];
const ecmp4 = route({
  dst_network: "10.200.0.0/16",
  next_hops: [
    { outgoing_interface: "e1", gw_addr: "10.1.1.2", weight: 2 },
    { outgoing_interface: "e2", gw_addr: "10.1.2.2" },
  ],
});
const ecmp6 = route({
  dst_network: "fd99::/32",
  next_hops: [
    { outgoing_interface: "e1", gw_addr: "fd01::2" },
    { outgoing_interface: "e2", gw_addr: "fd02::2", weight: 3 },
  ],
});

test.serial(
  "SONiC#370: a multipath route lives with the hops that can be there, and gets the others back",
  async (t) => {
    const both = { 4: ["10.1.1.2 e1 2", "10.1.2.2 e2 1"], 6: ["fd01::2 e1 1", "fd02::2 e2 3"] };
    const one = { 4: ["10.1.1.2 e1 1"], 6: ["fd01::2 e1 1"] };
    const seen = async () => ({ 4: await hops("10.200.0.0/16"), 6: await hops("fd99::/32") });
    const lacks = () => [ecmp4, ecmp6].map(([key]) => agent.status(key).derived.flatMap(({ details }) => details));

    await applied(...pairs, ecmp4, ecmp6);
    t.deepEqual(await seen(), both);
    t.deepEqual(await nothingToDo(), []);

    await applied(wantInterface({ ...e2, enabled: false }));
    t.deepEqual(await seen(), one);
    t.deepEqual(lacks(), [["interface e2 to be up"], ["interface e2 to be up"]]);
    t.deepEqual(
      [ecmp4, ecmp6].map(([key]) => agent.status(key).state),
      ["CONFIGURED", "CONFIGURED"],
    );
    t.deepEqual(await nothingToDo(), []);

    await applied(wantInterface(e2));
    t.deepEqual(await seen(), both);

    await applied(dropInterface("e2"), dropInterface("f2"));
    t.deepEqual(await seen(), one);
    await applied(...pairs);
    t.deepEqual(await seen(), both);

    // By hand, behind the agent's back.
    await run(["ip", "link", "set", "e2", "down"]);
    await eventually(
      async () =>
        agent.status(ecmp4[0]).state === "CONFIGURED" &&
        (await seen())[4].length === 2 &&
        (await seen())[6].length === 2,
    );
    await run(["ip", "route", "del", "10.200.0.0/16"]);
    await run(["ip", "-6", "route", "del", "fd99::/32", "via", "fd02::2"]);
    await eventually(async () => JSON.stringify(await seen()) === JSON.stringify(both), { what: "both are back" });

    await agent.close();
    agent = await NetworkAgent.start("cases");
    t.deepEqual(operations(await agent.resync(...pairs, ecmp4, ecmp6)), []);
    await applied([ecmp4[0], undefined], [ecmp6[0], undefined]);
    t.deepEqual(await seen(), { 4: [], 6: [] });
  },
);

test.serial("a hop whose gateway is not reachable yet is waited for, and the rest of the route is there", async (t) => {
  const late = route({
    dst_network: "10.201.0.0/16",
    next_hops: [
      { outgoing_interface: "e1", gw_addr: "10.1.1.2" },
      { outgoing_interface: "e2", gw_addr: "10.77.0.1" },
    ],
  });
  await applied(...pairs, late);
  t.deepEqual(await hops("10.201.0.0/16"), ["10.1.1.2 e1 1"]);
  t.deepEqual(
    agent
      .status(late[0])
      .derived.map(({ state }) => state)
      .sort(),
    ["CONFIGURED", "PENDING"],
  );
  await applied(wantInterface({ ...e2, ip_addresses: [...e2.ip_addresses, "10.77.0.2/24"] }));
  t.is((await hops("10.201.0.0/16")).length, 2);
  await applied(wantInterface(e2));
  t.is((await hops("10.201.0.0/16")).length, 1);
});

test.serial("systemd#21781: what others add to an IPv6 route of ours stays, whatever becomes of ours", async (t) => {
  const value = { outgoing_interface: "e1", dst_network: "fd77::/32", gw_addr: "fe80::1" } as const;
  await applied(...pairs, route(value));
  await run([
    "ip",
    "-6",
    "route",
    "append",
    "fd77::/32",
    "via",
    "fe80::99",
    "dev",
    "e1",
    "proto",
    "ra",
    "metric",
    "1024",
  ]);
  t.deepEqual(await hops("fd77::/32"), ["fe80::1 e1 1", "fe80::99 e1 1"]);
  t.deepEqual(await nothingToDo(), []);
  t.is(agent.status(route(value)[0]).state, "CONFIGURED");

  await applied(route({ ...value, gw_addr: "fe80::2" }));
  t.deepEqual(await hops("fd77::/32"), ["fe80::2 e1 1", "fe80::99 e1 1"]);
  await applied(route({ ...value, gw_addr: "fe80::2", mtu: 1400 }));
  t.deepEqual(await hops("fd77::/32"), ["fe80::2 e1 1", "fe80::99 e1 1"]);
  t.deepEqual(await nothingToDo(), []);

  await agent.close();
  agent = await NetworkAgent.start("cases");
  t.deepEqual(operations(await agent.resync(...pairs, route({ ...value, gw_addr: "fe80::2", mtu: 1400 }))), []);
  await applied([route(value)[0], undefined]);
  t.deepEqual(await hops("fd77::/32"), ["fe80::99 e1 1"]);
  await run(["ip", "-6", "route", "del", "fd77::/32"]);
});

test.serial("a multipath default and a backup with a metric are both there", async (t) => {
  const multipath = route({
    dst_network: "0.0.0.0/0",
    next_hops: [
      { outgoing_interface: "e1", gw_addr: "10.1.1.2" },
      { outgoing_interface: "e2", gw_addr: "10.1.2.2" },
    ],
  });
  const backup = route({ outgoing_interface: "e2", dst_network: "0.0.0.0/0", gw_addr: "10.1.2.2", metric: 100 });
  await applied(...pairs, multipath, backup);
  t.is((await hops("default")).length, 3);
  await applied(wantInterface({ ...e1, enabled: false }));
  t.deepEqual(await hops("default"), ["10.1.2.2 e2 1", "10.1.2.2 e2 1"]);
  await applied([multipath[0], undefined]);
  t.deepEqual(await hops("default"), ["10.1.2.2 e2 1"]);
});

test.serial("netlink#908: an IPv4 route leads to an IPv6 gateway", async (t) => {
  const swp1 = { ...end, name: "swp1", ip_addresses: ["192.0.2.1/32"], veth: { peer_if_name: "up" } } as const;
  const up = { ...end, name: "up", veth: { peer_if_name: "swp1" } } as const;
  const via = route({ outgoing_interface: "swp1", dst_network: "10.0.0.0/8", gw_addr: "fe80::1" });
  await applied(via, wantInterface(swp1), wantInterface(up));
  const [view] = await ip<RouteView>("route", "show", "10.0.0.0/8");
  t.deepEqual(view?.via, { family: "inet6", host: "fe80::1" });
  t.deepEqual(await nothingToDo(), []);
  await agent.close();
  agent = await NetworkAgent.start("cases");
  t.deepEqual(operations(await agent.resync(via, wantInterface(swp1), wantInterface(up))), []);
});

test.serial("a route waits for its preferred source on another interface, and returns with it", async (t) => {
  const ids = {
    name: "ids",
    type: "BRIDGE",
    enabled: true,
    ip_addresses: ["10.255.0.1/32", "2001:db8:ff::1/128"],
  } as const;
  const sourced = [
    route({
      outgoing_interface: "e1",
      dst_network: "10.9.0.0/16",
      gw_addr: "10.1.1.2",
      preferred_source: "10.255.0.1",
    }),
    route({
      outgoing_interface: "e1",
      dst_network: "2001:db8:9::/48",
      gw_addr: "fe80::1",
      preferred_source: "2001:db8:ff::1",
    }),
  ];
  const sources = async () =>
    [
      ...(await ip<RouteView>("route", "show", "10.9.0.0/16")),
      ...(await ip<RouteView>("-6", "route", "show", "2001:db8:9::/48")),
    ].map(({ prefsrc }) => prefsrc);
  await applied(...pairs, ...sourced);
  t.deepEqual(
    sourced.map(([key]) => agent.status(key).state),
    ["PENDING", "PENDING"],
  );
  t.deepEqual(agent.status(sourced[0]?.[0] ?? "").details, [
    "preferred source 10.255.0.1 to be an address of the host",
  ]);
  for (let round = 0; round < 2; round++) {
    await applied(wantInterface(ids));
    t.deepEqual(await sources(), ["10.255.0.1", "2001:db8:ff::1"]);
    t.deepEqual(await nothingToDo(), []);
    await applied(dropInterface("ids"));
    await eventually(async () => (await sources()).length === 0, { what: "the routes go with their source" });
  }
  await applied(wantInterface(ids));
  for (const address of ids.ip_addresses) await run(["ip", "addr", "del", address, "dev", "ids"]);
  const whole = JSON.stringify(["10.255.0.1", "2001:db8:ff::1"]);
  await eventually(async () => JSON.stringify(await sources()) === whole, { what: "routes have their sources again" });
});

/** A route, what somebody makes of it, and what has to be there again. */
const attributes: Readonly<Record<string, { readonly value: Route; readonly done: string; readonly seen: RegExp }>> = {
  MTU: {
    value: { outgoing_interface: "e1", dst_network: "10.66.0.0/16", gw_addr: "10.1.1.2", mtu: 1400 },
    done: "route replace 10.66.0.0/16 via 10.1.1.2 dev e1",
    seen: /mtu 1400/,
  },
  "preferred source": {
    value: { outgoing_interface: "e1", dst_network: "10.66.0.0/16", gw_addr: "10.1.1.2", preferred_source: "10.1.2.1" },
    done: "route replace 10.66.0.0/16 via 10.1.1.2 dev e1",
    seen: /src 10.1.2.1/,
  },
  "protocol number": {
    value: { outgoing_interface: "e1", dst_network: "10.66.0.0/16", gw_addr: "10.1.1.2" },
    done: "route replace 10.66.0.0/16 via 10.1.1.2 dev e1 proto static",
    seen: /proto 199/,
  },
  "on-link flag": {
    value: { outgoing_interface: "e1", dst_network: "10.66.0.0/16", gw_addr: "10.1.1.2", on_link: true },
    done: "route replace 10.66.0.0/16 via 10.1.1.2 dev e1",
    seen: /onlink/,
  },
  scope: {
    value: { outgoing_interface: "e1", dst_network: "10.66.0.0/16", scope: "LINK" },
    done: "route replace 10.66.0.0/16 dev e1 scope host",
    seen: /scope link/,
  },
  gateway: {
    value: { outgoing_interface: "e1", dst_network: "10.66.0.0/16", gw_addr: "10.1.1.2", table: 77 },
    done: "route replace 10.66.0.0/16 via 10.1.1.9 dev e1 table 77",
    seen: /via 10.1.1.2/,
  },
  "MTU of IPv6": {
    value: { outgoing_interface: "e1", dst_network: "fd66::/32", gw_addr: "fd01::2", mtu: 1400 },
    done: "-6 route replace fd66::/32 via fd01::2 dev e1",
    seen: /mtu 1400/,
  },
};

for (const [what, { value, done, seen }] of Object.entries(attributes)) {
  test.serial(`what somebody takes away from a route is noticed and put back: ${what}`, async (t) => {
    await applied(...pairs, route(value));
    const shown = () =>
      run([
        "ip",
        value.dst_network?.includes(":") ? "-6" : "-4",
        "-d",
        "route",
        "show",
        "table",
        "all",
        value.dst_network ?? "",
      ]);
    const before = await shown();
    t.regex(before, seen);
    await run(["ip", ...done.split(" ")]);
    await eventually(async () => (await shown()) === before, { what: `${what} is back`, timeout: 20_000 });
    t.deepEqual(await nothingToDo(), []);
  });
}

test.serial("a rule follows the interface that it names to another host name, and goes with it", async (t) => {
  const named = { ...e1, name: "e1", host_if_name: "first" } as const;
  const other = { ...e2, name: "e2", host_if_name: "second" } as const;
  const rules = [
    wantRule({ priority: 100, in_interface: "e1", table: 100 }),
    wantRule({ priority: 101, out_interface: "e2", table: 101 }),
  ];
  const seen = async () =>
    (await ip<{ readonly protocol?: string; readonly iif?: string; readonly oif?: string }>("-details", "rule"))
      .filter(({ protocol }) => protocol === "199")
      .map(({ iif, oif }) => iif ?? oif);
  const ends = [wantInterface(f1), wantInterface(f2)];
  await applied(wantInterface(named), wantInterface(other), ...ends, ...rules);
  t.deepEqual(await seen(), ["first", "second"]);
  await applied(wantInterface({ ...named, host_if_name: "third" }));
  await eventually(async () => (await seen()).join() === "third,second", { what: "the rule follows" });
  await applied(
    wantInterface({ ...named, host_if_name: "second" }),
    wantInterface({ ...other, host_if_name: "third" }),
  );
  await eventually(async () => (await seen()).join() === "second,third", { what: "the rules follow" });
  t.false((await run(["ip", "rule"])).includes("detached"));
  t.deepEqual(await nothingToDo(), []);
  await applied(...rules.map(([key]) => [key, undefined] as const));
  t.deepEqual(await seen(), []);
});

/** What was right all along, on tricky ground. */
const right: Readonly<Record<string, readonly Desired[]>> = {
  "a default route by an on-link gateway of no network of the interface": [
    wantInterface({ ...e1, ip_addresses: ["203.0.113.77/32", "2001:db8:aa:bb::1/128"] }),
    wantInterface(f1),
    route({ outgoing_interface: "e1", dst_network: "0.0.0.0/0", gw_addr: "172.31.1.1", on_link: true }),
    route({ outgoing_interface: "e1", dst_network: "::/0", gw_addr: "2001:db8:aa:ff:ff:ff:ff:ff", on_link: true }),
  ],
  "a default route by a gateway that a route to the link makes reachable": [
    wantInterface({ ...e1, ip_addresses: ["203.0.113.77/32", "2001:db8:aa:bb::1/128"] }),
    wantInterface(f1),
    route({ outgoing_interface: "e1", dst_network: "0.0.0.0/0", gw_addr: "172.31.1.1" }),
    route({ outgoing_interface: "e1", dst_network: "172.31.1.1/32", scope: "LINK" }),
    route({ outgoing_interface: "e1", dst_network: "::/0", gw_addr: "2001:db8:aa:ff:ff:ff:ff:ff" }),
    route({ outgoing_interface: "e1", dst_network: "2001:db8:aa:ff:ff:ff:ff:ff/128" }),
  ],
  "the rules of wg-quick for both families": [
    wantInterface({ ...e1, ip_addresses: ["10.66.0.2/32", "fd66::2/128"] }),
    wantInterface(f1),
    route({ outgoing_interface: "e1", dst_network: "0.0.0.0/0", table: 51820 }),
    route({ outgoing_interface: "e1", dst_network: "::/0", table: 51820 }),
    wantRule({ priority: 5208, table: 254, suppress_prefix_length: 0 }),
    wantRule({ priority: 5209, fw_mark: 51820, invert: true, table: 51820 }),
    wantRule({ priority: 5208, family: "IPV6", table: 254, suppress_prefix_length: 0 }),
    wantRule({ priority: 5209, family: "IPV6", fw_mark: 51820, invert: true, table: 51820 }),
  ],
};

for (const [what, values] of Object.entries(right)) {
  test.serial(`right in whichever order it comes: ${what}`, async (t) => {
    await applied(...[...values].reverse());
    t.true(values.every(([key]) => agent.status(key).state === "CONFIGURED"));
    t.deepEqual(await nothingToDo(), []);
    await applied(wantInterface({ ...e1, enabled: false }));
    await applied(...values);
    t.true(values.every(([key]) => agent.status(key).state === "CONFIGURED"));
    t.deepEqual(await nothingToDo(), []);
  });
}
