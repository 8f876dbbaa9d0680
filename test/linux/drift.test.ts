import { writeFile } from "node:fs/promises";
import test from "ava";
import { type Interface, interfaceAddressKey, interfaceKey, routeKey } from "#proto/index.js";
import { eventually } from "#test/support/eventually.js";
import { addressesOf, ip, link, run } from "#test/support/sandbox.js";
import {
  carries,
  dropInterface,
  NetworkAgent,
  operations,
  wantInterface,
  wantNeighbour,
  wantRoute,
  wantRouteWithoutInterface,
  wantRule,
} from "./support/network.js";
import { Recorder } from "./support/recorder.js";

const INSIDE = { namespace: "held" };
const place = { namespace: { type: "NSID", reference: "held" } } as const;
const held = {
  name: "held",
  type: "VETH",
  host_if_name: "held0",
  enabled: true,
  mtu: 1400,
  phys_address: "02:00:00:00:61:01",
  ip_addresses: ["10.61.0.1/24", "fd00:61::1/64"],
  veth: { peer_if_name: "other" },
  ...place,
} as const;
const other = { name: "other", type: "VETH", enabled: true, veth: { peer_if_name: "held" } } as const;
const route = wantRoute({ outgoing_interface: "held", dst_network: "10.62.0.0/16", gw_addr: "10.61.0.9" });
const route6 = wantRoute({ outgoing_interface: "held", dst_network: "fd00:62::/32", gw_addr: "fd00:61::9" });
const neighbour = wantNeighbour({ interface: "held", ip_address: "10.61.0.7", hw_address: "02:00:00:00:61:07" });
const rule = wantRule({ priority: 500, src_network: "10.63.0.0/16", table: 100, ...place });
const blackhole = wantRouteWithoutInterface({ dst_network: "10.64.0.0/16", type: "BLACKHOLE", ...place });
const port = { name: "port", type: "VETH", enabled: true, veth: { peer_if_name: "port-far" }, ...place } as const;
const portFar = { ...port, name: "port-far", veth: { peer_if_name: "port" } } as const;
const bridge = {
  name: "switch",
  type: "BRIDGE",
  enabled: true,
  // Else it would change with its ports, which is an event of its own.
  phys_address: "02:00:00:00:61:02",
  bridge: { ports: [{ interface: "port" }] },
  ...place,
} as const;
const dependent = { name: "dependent", type: "TAP", enabled: true, unnumbered: "held", tuntap: {}, ...place } as const;
const interfaces = [held, other, port, portFar, bridge, dependent].map(wantInterface);
const everything = [...interfaces, route, route6, neighbour, rule, blackhole] as const;

let recorder: Recorder;
let agent: NetworkAgent;

async function start(configuration: object = {}): Promise<void> {
  recorder = new Recorder();
  agent = await NetworkAgent.start("drift", { "linux-drift": configuration }, [recorder.plugin]);
}

test.beforeEach(() => start());
test.afterEach.always(async () => {
  await agent.resync();
  await agent.close();
});

const drifts = () => recorder.of("drift").map(({ data }) => data);
const inside = (...command: readonly string[]) => run(["ip", ...command], INSIDE);
const interfere = async ({ commands, here }: Interference) => {
  for (const command of commands) await run(["ip", ...command], here ? {} : INSIDE);
};

/** Everything is below as it was asked for: reading it anew finds nothing to do. */
async function isAsDesired(): Promise<boolean> {
  const { executed } = await agent.scheduler.resyncDownstream();
  return executed.length === 0;
}

interface Interference {
  /** Somebody else's commands for `ip`, in the namespace of most of it. */
  readonly commands: readonly (readonly string[])[];
  /** In the agent's own namespace instead. */
  readonly here?: true;
  /** Key that the event names. */
  readonly key: string;
  readonly isThere: () => Promise<boolean>;
}

interface PortView {
  readonly linkinfo: { readonly info_slave_data?: Readonly<Record<string, unknown>> };
}

const routesOf = async (destination: string) => (await ip("route", "show", destination, INSIDE)).length;

const portSettings = async (name: string): Promise<Readonly<Record<string, unknown>>> => {
  const [view] = await ip<PortView>("-details", "link", "show", name, INSIDE);
  return view?.linkinfo.info_slave_data ?? {};
};

const interferences: Readonly<Record<string, Interference>> = {
  "an address is removed": {
    commands: [["address", "delete", "10.61.0.1/24", "dev", "held0"]],
    key: interfaceKey("held"),
    isThere: async () => addressesOf((await link("held0", INSIDE))!).includes("10.61.0.1/24"),
  },
  "all addresses are flushed": {
    commands: [["address", "flush", "dev", "held0", "scope", "global"]],
    key: interfaceKey("held"),
    isThere: async () => addressesOf((await link("held0", INSIDE))!).length === 2,
  },
  "a link is set down": {
    commands: [["link", "set", "dev", "held0", "down"]],
    key: interfaceKey("held"),
    isThere: async () => carries(await link("held0", INSIDE)),
  },
  "a link gets another MTU": {
    commands: [["link", "set", "dev", "held0", "mtu", "1300"]],
    key: interfaceKey("held"),
    isThere: async () => (await link("held0", INSIDE))?.mtu === 1400,
  },
  "an interface is renamed": {
    commands: [["link", "set", "dev", "held0", "name", "stolen"]],
    key: interfaceKey("held"),
    isThere: async () => carries(await link("held0", INSIDE)),
  },
  "an interface is deleted": {
    commands: [["link", "delete", "held0"]],
    key: interfaceKey("held"),
    isThere: async () => carries(await link("held0", INSIDE)),
  },
  "an IPv6 address is removed": {
    commands: [["address", "delete", "fd00:61::1/64", "dev", "held0"]],
    key: interfaceKey("held"),
    isThere: async () => addressesOf((await link("held0", INSIDE))!).includes("fd00:61::1/64"),
  },
  "an unnumbered address is removed": {
    commands: [["address", "delete", "10.61.0.1/32", "dev", "dependent"]],
    key: interfaceKey("dependent"),
    isThere: async () => addressesOf((await link("dependent", INSIDE))!).includes("10.61.0.1/32"),
  },
  "an interface is moved to another namespace": {
    commands: [["link", "set", "dev", "held0", "netns", "1"]],
    key: interfaceKey("held"),
    isThere: async () => carries(await link("held0", INSIDE)),
  },
  "an interface in the agent's own namespace is renamed": {
    commands: [["link", "set", "dev", "other", "name", "stolen-too"]],
    here: true,
    key: interfaceKey("other"),
    isThere: async () => carries(await link("other")),
  },
  "an interface in the agent's own namespace is deleted": {
    commands: [["link", "delete", "other"]],
    here: true,
    key: interfaceKey("other"),
    isThere: async () => carries(await link("other")),
  },
  "a port is taken out of its bridge": {
    commands: [["link", "set", "dev", "port", "nomaster"]],
    key: interfaceKey("switch"),
    isThere: async () => (await link("port", INSIDE))?.master === "switch",
  },
  "a port of a bridge gets other settings": {
    commands: [["link", "set", "dev", "port", "type", "bridge_slave", "hairpin", "on"]],
    key: interfaceKey("switch"),
    isThere: async () => (await portSettings("port")).hairpin === false,
  },
  "an interface is made a port of a bridge": {
    commands: [["link", "set", "dev", "port-far", "master", "switch"]],
    key: interfaceKey("switch"),
    isThere: async () => (await link("port-far", INSIDE))?.master === undefined,
  },
  "a bridge is deleted": {
    commands: [["link", "delete", "switch"]],
    key: interfaceKey("switch"),
    isThere: async () => (await link("port", INSIDE))?.master === "switch",
  },
  "an interface gets another MAC address": {
    commands: [["link", "set", "dev", "held0", "address", "02:00:00:00:61:99"]],
    key: interfaceKey("held"),
    isThere: async () => (await link("held0", INSIDE))?.address === "02:00:00:00:61:01",
  },
  "a route is deleted": {
    commands: [["route", "delete", "10.62.0.0/16"]],
    key: route[0],
    isThere: async () => (await routesOf("10.62.0.0/16")) === 1,
  },
  "an IPv6 route is deleted": {
    commands: [["-6", "route", "delete", "fd00:62::/32"]],
    key: route6[0],
    isThere: async () => (await ip("-6", "route", "show", "fd00:62::/32", INSIDE)).length === 1,
  },
  "a route is replaced": {
    commands: [["route", "replace", "10.62.0.0/16", "via", "10.61.0.3"]],
    key: route[0],
    isThere: async () => (await ip("route", "show", "10.62.0.0/16", INSIDE))[0]?.gateway === "10.61.0.9",
  },
  "a routes without a next hop is deleted": {
    commands: [["route", "delete", "blackhole", "10.64.0.0/16"]],
    key: blackhole[0],
    isThere: async () => (await routesOf("10.64.0.0/16")) === 1,
  },
  "a neighbour is deleted": {
    commands: [["neighbour", "delete", "10.61.0.7", "dev", "held0"]],
    key: neighbour[0],
    isThere: async () => (await ip("neighbour", "show", "nud", "permanent", INSIDE)).length === 1,
  },
  "a neighbour is changed": {
    commands: [["neighbour", "replace", "10.61.0.7", "lladdr", "02:00:00:00:61:08", "dev", "held0"]],
    key: neighbour[0],
    isThere: async () => (await ip("neighbour", "show", "nud", "permanent", INSIDE))[0]?.lladdr === "02:00:00:00:61:07",
  },
  "a rule is deleted": {
    commands: [["rule", "delete", "priority", "500"]],
    key: rule[0],
    isThere: async () => (await ip("rule", "show", INSIDE)).some(({ priority }) => priority === 500),
  },
};

for (const [what, interference] of Object.entries(interferences)) {
  const { key, isThere } = interference;
  test.serial(`${what}: it is told, with what was and what is, and repaired`, async (t) => {
    await agent.commit(...everything);
    await eventually(isAsDesired);
    await interfere(interference);
    await eventually(isThere, { what: "the repair" });
    await eventually(isAsDesired);
    const told = drifts().find((each) => each.key === key);
    t.like(told, { policy: "ENFORCE" });
    t.notDeepEqual(told?.before, told?.after);
    t.is(drifts().filter((each) => each.fight).length, 0);
    for (const [each] of everything) t.is(agent.status(each).state, "CONFIGURED");
  });

  test.serial(`${what}: under report it is only told`, async (t) => {
    await agent.close();
    await start({ policy: "report" });
    await agent.commit(...everything);
    await interfere(interference);
    const told = await eventually(() => drifts().find((each) => each.key === key));
    t.is(told.policy, "REPORT");
    t.is(told.repair_in_ms, undefined);
    t.false(await isThere());
    await agent.scheduler.resyncDownstream();
    t.true(await eventually(isThere));
  });
}

const toLink = wantRoute({ outgoing_interface: "held", dst_network: "10.65.0.0/16" });

/** What the kernel drops without a word. */
const flushes: Readonly<Record<string, string>> = {
  "a link is set down and up at once": "ip link set dev held0 down; ip link set dev held0 up",
  "the last IPv4 address goes": "ip address delete 10.61.0.1/24 dev held0",
};
for (const [what, script] of Object.entries(flushes)) {
  test.serial(`${what}: the routes that the kernel dropped come back`, async (t) => {
    await agent.commit(...everything, toLink);
    await eventually(isAsDesired);
    await run(["sh", "-c", script], INSIDE);
    await eventually(async () => (await routesOf("10.65.0.0/16")) === 1 && (await routesOf("10.62.0.0/16")) === 1);
    t.true(await eventually(isAsDesired));
  });
}

test.serial("the event has what was and what is", async (t) => {
  await agent.commit(...everything);
  await inside("link", "set", "dev", "held0", "mtu", "1300");
  const told = await eventually(() => drifts()[0]);
  t.is((told.before as Interface).mtu, 1400);
  t.is((told.after as Interface).mtu, 1300);
  await inside("address", "delete", "10.61.0.1/24", "dev", "held0");
  const lost = interfaceAddressKey("held", "10.61.0.1/24");
  await t.notThrowsAsync(
    eventually(() => drifts().some(({ key, keys }) => key === interfaceKey("held") && keys[0] === lost)),
  );
});

test.serial("what a value leaves to the kernel is nobody's drift", async (t) => {
  await agent.commit(...everything);
  await ip("link", "set", "dev", "other", "mtu", "1350");
  await inside("link", "set", "dev", "held0", "mtu", "1300");
  await eventually(async () => (await link("held0", INSIDE))?.mtu === 1400);
  t.deepEqual([...new Set(drifts().map(({ key }) => key))], [interfaceKey("held")]);
  t.is((await link("other"))?.mtu, 1350);
});

test.serial("under ignore nothing is noticed", async (t) => {
  await agent.close();
  await start({ policy: "ignore" });
  await agent.commit(...everything);
  await inside("address", "delete", "10.61.0.1/24", "dev", "held0");
  await inside("link", "set", "dev", "held0", "mtu", "1300");
  await agent.commit(wantInterface({ ...other, mtu: 1410 }));
  t.deepEqual(drifts(), []);
  t.false(await isAsDesired());
});

test.serial("what the agent does itself is never drift", async (t) => {
  const names = Array.from({ length: 40 }, (_, i) => `p${i}`);
  const ends = (settings: Partial<Interface>) =>
    names.flatMap((name, i) => [
      wantInterface({
        ...held,
        name,
        host_if_name: name,
        phys_address: `02:00:00:00:62:${i.toString(16).padStart(2, "0")}`,
        ip_addresses: [`10.${100 + i}.0.1/24`, `fd00:${100 + i}::1/64`],
        veth: { peer_if_name: `${name}-far` },
        ...settings,
      }),
      wantInterface({ ...other, name: `${name}-far`, veth: { peer_if_name: name } }),
    ]);
  const routes = names.flatMap((name, i) => [
    wantRoute({ outgoing_interface: name, dst_network: `10.${200}.${i}.0/24`, gw_addr: `10.${100 + i}.0.9` }),
    wantRoute({ outgoing_interface: name, dst_network: `fd01:${i}::/32`, gw_addr: `fd00:${100 + i}::9` }),
  ]);
  // The kernel takes IPv6 away from a link that goes down, and from one with an MTU below 1280.
  const low = { mtu: 1200, ip_addresses: [] };
  const ways = [{}, { mtu: 1300 }, { enabled: false }, { enabled: true }, low, { ...place, mtu: 1500 }];
  for (const settings of ways) await agent.commit(...ends(settings), ...routes);
  const ports = names.map((name) => ({ interface: `${name}-far` }));
  const group = { name: "group", type: "BRIDGE", enabled: true, bridge: { ports } } as const;
  for (const value of [group, { ...group, bridge: { ports: ports.slice(20) } }])
    await agent.commit(wantInterface(value));
  await agent.commit(dropInterface("group"));
  await agent.commit(...ends({ namespace: { type: "NSID", reference: "held-too" } }));
  await agent.commit(...names.map((name) => dropInterface(name)));
  await agent.commit(...ends({}));
  await agent.resync();
  await agent.commit(...everything);
  await inside("route", "delete", "10.62.0.0/16");
  await eventually(() => drifts().length > 0);
  t.deepEqual(
    drifts().map(({ key }) => key),
    [routeKey("10.62.0.0/16", "held")],
  );
});

test.serial("two managers that fight over a value are recognised, and the repairs slow down", async (t) => {
  await agent.close();
  await start({ fight_threshold: 2 });
  await agent.commit(...everything);
  const repaired = async () => (await link("held0", INSIDE))?.mtu === 1400;
  for (const times of [1, 2, 3]) {
    await inside("link", "set", "dev", "held0", "mtu", "1300");
    const told = await eventually(() => drifts().find((each) => each.times === times));
    t.is(told.fight, times > 2);
    if (times > 1) t.true((told.repair_in_ms ?? 0) >= 900 * 2 ** (times - 2));
    if (times < 3) await eventually(repaired);
  }
  t.is(agent.status(route[0]).state, "CONFIGURED");
});

test.serial("events that were lost are made up for", async (t) => {
  await agent.close();
  recorder = new Recorder();
  agent = await NetworkAgent.start("drift", { netlink: { event_buffer_bytes: 4096 } }, [recorder.plugin]);
  await agent.commit(...everything);
  const flood = Array.from({ length: 3000 }, (_, i) => [
    `route add 10.70.${i >> 8}.${i & 255}/32 dev held0`,
    `address add 10.71.${i >> 8}.${i & 255}/32 dev lo`,
  ]).flat();
  const batch = [
    ...flood.slice(0, 3000),
    "route delete 10.62.0.0/16",
    "link set dev held0 mtu 1300",
    ...flood.slice(3000),
  ];
  await writeFile("/run/batch", batch.join("\n"));
  await inside("-batch", "/run/batch");
  await eventually(async () => (await routesOf("10.62.0.0/16")) === 1);
  await eventually(async () => (await link("held0", INSIDE))?.mtu === 1400);
  t.pass();
});

test.serial("after a restart drift is noticed as before", async (t) => {
  await agent.commit(...everything);
  await agent.close();
  await start();
  t.deepEqual(operations(await agent.resync(...everything)), []);
  await inside("route", "delete", "10.62.0.0/16");
  await eventually(async () => (await routesOf("10.62.0.0/16")) === 1);
  await inside("rule", "delete", "priority", "500");
  await eventually(interferences["a rule is deleted"]!.isThere);
  t.deepEqual(
    drifts().map(({ key }) => key),
    [route[0], rule[0]],
  );
});
