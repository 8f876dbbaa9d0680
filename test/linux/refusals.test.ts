import test from "ava";
import { type Interface, interfaceKey, type Route, routeKey } from "#proto/index.js";
import { eventually } from "#test/support/eventually.js";
import { link, links, run } from "#test/support/sandbox.js";
import { carries, NetworkAgent, states, wantInterface } from "./support/network.js";

let agent: NetworkAgent;
test.before(async () => {
  agent = await NetworkAgent.start("refusals");
});
test.afterEach.always(() => agent.resync());
test.after.always(() => agent.close());

const good = { name: "v1", type: "VETH", veth: { peer_if_name: "v2" } } as const;

/** Values that no kernel needs to be asked about, with the fields that are wrong. */
const invalid: readonly (readonly [value: Interface & { readonly name: string }, ...problems: readonly RegExp[]])[] = [
  [{ ...good, host_if_name: "sixteen-letters!" }, /host_if_name.*16 bytes, at most 15/],
  [{ ...good, name: "a/b" }, /name.*slash.*set host_if_name/],
  [{ ...good, host_if_name: ".." }, /host_if_name/],
  [{ ...good, host_if_name: "with space" }, /host_if_name/],
  [{ ...good, host_if_name: "voil\u00e0" }, /host_if_name.*a byte that the kernel takes for a space/],
  [{ name: "v1" }, /type.*UNDEFINED, supported are VETH/],
  [{ ...good, bridge: {} }, /bridge.*does not belong to an interface of type VETH/],
  [{ ...good, phys_address: "02:00" }, /phys_address.*"02:00"/],
  [{ ...good, phys_address: "01:00:00:00:00:01" }, /phys_address.*multicast/],
  [{ ...good, ip_addresses: ["10.0.0.1/24", "10.0.0.1"] }, /ip_addresses\[1\].*"10.0.0.1"/],
  [{ ...good, ip_addresses: ["10.0.0.1/33"] }, /ip_addresses\[0\]/],
  [{ ...good, mtu: 1279, ip_addresses: ["10.0.0.1/24", "fd00::1/64"] }, /mtu.*1279, expected at least 1280/],
  [
    { ...good, ip_addresses: ["fd00::1/64", "10.0.0.1/8", "FD00:0::1/64"] },
    /ip_addresses\[2\].*same as ip_addresses\[0\]/,
  ],
  [{ ...good, veth: {} }, /veth.peer_if_name.*missing/],
  [{ ...good, veth: { peer_if_name: "v1" } }, /veth.peer_if_name.*itself/],
  [{ ...good, namespace: { type: "NSID", reference: "a/b" } }, /namespace.reference/],
  [{ ...good, namespace: { type: "PID", reference: "-1" } }, /namespace.reference/],
  [{ ...good, namespace: { type: "FD", reference: "ns/net" } }, /namespace.reference.*absolute/],
  [{ ...good, namespace: { type: "NSID" } }, /namespace.reference.*empty/],
  [{ ...good, namespace: { reference: "red" } }, /namespace.type/],
  [{ name: "v1", type: "LOOPBACK", host_if_name: "lo1" }, /host_if_name.*always called lo/],
];

for (const [value, ...problems] of invalid) {
  test.serial(`invalid: ${JSON.stringify(value)}`, async (t) => {
    const record = await agent.commit(wantInterface(value));
    const status = record.values[0];
    t.is(status?.state, "INVALID");
    for (const problem of problems)
      t.true(
        status?.details.some((each) => problem.test(each)),
        JSON.stringify(status),
      );
  });
}

const badRoutes: readonly (readonly [value: Route, problem: RegExp])[] = [
  [{ outgoing_interface: "v1", dst_network: "10.0.0.0" }, /dst_network.*10.0.0.0/],
  [{ outgoing_interface: "v1", dst_network: "fd00:1::/64", gw_addr: "10.0.0.1" }, /gw_addr.*address family/],
  [{ outgoing_interface: "v1", dst_network: "10.0.0.0/8", gw_addr: "10.0.0.1/8" }, /gw_addr/],
];

for (const [value, problem] of badRoutes) {
  test.serial(`invalid: ${JSON.stringify(value)}`, async (t) => {
    const key = routeKey(value.dst_network ?? "", value.outgoing_interface ?? "");
    const [status] = (await agent.commit([key, value])).values;
    t.is(status?.state, "INVALID");
    t.true(
      status?.details.some((each) => problem.test(each)),
      JSON.stringify(status),
    );
  });
}

/** Changes to one end that the kernel refuses; the value's error says why. */
const refused: Readonly<Record<string, readonly [change: Partial<Interface>, error: RegExp]>> = {
  "an MTU that is too small": [{ mtu: 20 }, /interface\/v2: mtu: cannot set mtu to 20: .*mtu less than device minimum/],
  "an MTU that is too large": [{ mtu: 70_000 }, /interface\/v2: mtu: .*mtu greater than device maximum/],
  "a file that is no namespace": [
    { namespace: { type: "FD", reference: "/proc/self/status" } },
    /interface\/v2: namespace.reference: cannot use the namespace at \/proc\/self\/status/,
  ],
};

for (const [what, [change, error]] of Object.entries(refused)) {
  test.serial(`${what} fails with the kernel's reason, key and field`, async (t) => {
    const v1 = { ...good, enabled: true } as const;
    const record = await agent.commit(
      wantInterface(v1),
      wantInterface({ name: "v2", type: "VETH", enabled: true, veth: { peer_if_name: "v1" }, ...change }),
    );
    t.regex(JSON.stringify(states(record)), error);
    await agent.commit(wantInterface({ name: "v2", type: "VETH", enabled: true, veth: { peer_if_name: "v1" } }));
    t.is(agent.status(interfaceKey("v1")).state, "CONFIGURED");
    t.is(agent.status(interfaceKey("v2")).state, "CONFIGURED");
    t.true(carries(await link("v2")));
  });
}

test.serial("a foreign interface with the desired host name stays as it is, and the value says so", async (t) => {
  await run(["ip", "link", "add", "v2", "type", "veth", "peer", "name", "x2"]);
  const before = await link("v2");
  const record = await agent.commit(
    wantInterface(good),
    wantInterface({ name: "v2", type: "VETH", veth: { peer_if_name: "v1" } }),
  );
  t.regex(
    states(record)[interfaceKey("v1")] ?? "",
    /FAILED: .*host name v2 is taken in the default namespace by .*somebody else.*left alone/,
  );
  t.deepEqual(await link("v2"), before);
  t.is(await link("v1"), undefined);
  await agent.resync();
  t.deepEqual(await link("v2"), before);
  await run(["ip", "link", "delete", "v2"]);
});

test.serial("two interfaces cannot have one host name in one namespace", async (t) => {
  const record = await agent.commit(
    wantInterface({ ...good, host_if_name: "same" }),
    wantInterface({ name: "v2", type: "VETH", veth: { peer_if_name: "v1" } }),
    wantInterface({ name: "v3", type: "VETH", host_if_name: "same", veth: { peer_if_name: "v4" } }),
    wantInterface({ name: "v4", type: "VETH", veth: { peer_if_name: "v3" } }),
  );
  const failed = Object.values(states(record)).filter((state) => state.startsWith("FAILED"));
  t.is(failed.length, 1);
  t.regex(
    failed[0] ?? "",
    /host name same is taken in the default namespace by (interface v[13]|an interface that is being made too)/,
  );
});

test.serial("what one value is refused for does not touch the others", async (t) => {
  const record = await agent.commit(
    wantInterface({ ...good, mtu: 10 }),
    wantInterface({ name: "v2", type: "VETH", veth: { peer_if_name: "v1" } }),
    wantInterface({ name: "w1", type: "VETH", enabled: true, veth: { peer_if_name: "w2" } }),
    wantInterface({ name: "w2", type: "VETH", enabled: true, veth: { peer_if_name: "w1" } }),
  );
  t.regex(states(record)[interfaceKey("v1")] ?? "", /FAILED: .*interface\/v1: mtu/);
  t.is(states(record)[interfaceKey("v2")], "PENDING");
  t.is(await link("v1"), undefined);
  t.true(carries(await link("w1")));
});

/** `v1` and `v3` both want `v2` as their peer, which wants `chosen`. */
for (const [chosen, other] of [
  ["v1", "v3"],
  ["v3", "v1"],
] as const) {
  test.serial(`an end whose peer wants another one waits, also when its name sorts as ${other} does`, async (t) => {
    const end = (name: string, peer: string) => wantInterface({ name, type: "VETH", veth: { peer_if_name: peer } });
    await agent.commit(end(other, "v2"), end("v2", chosen));
    const waiting = { state: "PENDING", details: [`interface v2 with ${other} as its peer`] };
    t.like(agent.status(interfaceKey(other)), waiting);
    const record = await agent.commit(end(chosen, "v2"));
    t.is(record.error, "", JSON.stringify(states(record)));
    t.is(agent.status(interfaceKey("v2")).state, "CONFIGURED");
    t.like(agent.status(interfaceKey(other)), waiting);
    t.is((await agent.commit(end("v2", other))).error, "");
    t.is(agent.status(interfaceKey(other)).state, "CONFIGURED");
    t.like(agent.status(interfaceKey(chosen)), {
      state: "PENDING",
      details: [`interface v2 with ${chosen} as its peer`],
    });
    t.deepEqual((await links()).map(({ ifname }) => ifname).sort(), ["lo", other, "v2"].sort());
  });
}

test.serial("an end whose peer is of another type waits", async (t) => {
  await agent.commit(wantInterface(good), wantInterface({ name: "v2", type: "BRIDGE", bridge: {} }));
  t.like(agent.status(interfaceKey("v1")), { state: "PENDING", details: ["interface v2 with v1 as its peer"] });
  t.is(agent.status(interfaceKey("v2")).state, "CONFIGURED");
});

test.serial("an atomic transaction leaves nothing behind when one value is refused", async (t) => {
  const before = (await links()).map(({ ifname }) => ifname);
  const changes = [
    wantInterface({ ...good, enabled: true, namespace: { type: "NSID", reference: "undone" } }),
    wantInterface({ name: "v2", type: "VETH", enabled: true, veth: { peer_if_name: "v1" } }),
    wantInterface({ name: "w1", type: "VETH", mtu: 10, veth: { peer_if_name: "w2" } }),
    wantInterface({ name: "w2", type: "VETH", veth: { peer_if_name: "w1" } }),
  ];
  const record = await agent.scheduler.commit({ changes, atomic: true, retry: false });
  t.true(record.reverted);
  t.deepEqual(
    (await links()).map(({ ifname }) => ifname),
    before,
  );
  await eventually(async () => (await run(["ip", "netns", "list"])) === "");
  t.is(agent.status(interfaceKey("v1")).state, "NONEXISTENT");
});
