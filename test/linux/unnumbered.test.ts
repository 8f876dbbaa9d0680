import test from "ava";
import { interfaceKey } from "#proto/index.js";
import { eventually } from "#test/support/eventually.js";
import { addressesOf, createNamespace, deleteNamespace, link, namespaces, run } from "#test/support/sandbox.js";
import { dropInterface, NetworkAgent, operations, states, wantInterface, wantRoute } from "./support/network.js";

const LINK_ONLY = { type: "EXISTING", enabled: true, link_only: true } as const;

const WATCHED = { type: "NSID", reference: "watched" } as const;

/** Links that the agent configures, but that others made. */
let agent: NetworkAgent;
test.beforeEach(async () => {
  agent = await NetworkAgent.start("dependent", {
    "interface-watcher": { settle_delay: "1ms", namespaces: [WATCHED.reference] },
  });
});
test.afterEach.always(async () => {
  await agent.resync();
  await agent.close();
});

/** Interfaces of others are announced a moment after they appear. */
async function configuredAs(name: string): Promise<void> {
  await eventually(() => agent.status(interfaceKey(name)).state === "CONFIGURED");
}

test.serial("an existing interface is configured, and stays when its value goes", async (t) => {
  await run(["ip", "link", "add", "theirs", "type", "bridge"]);
  await run(["ip", "address", "add", "10.61.0.9/24", "dev", "theirs"]);
  const value = {
    name: "uplink",
    type: "EXISTING",
    host_if_name: "theirs",
    enabled: true,
    mtu: 1400,
    ip_addresses: ["10.61.0.1/24", "fd00:61::1/64"],
  } as const;
  await agent.commit(wantInterface(value));
  await configuredAs(value.name);
  const expected = ["10.61.0.1/24", "10.61.0.9/24", "fd00:61::1/64"].join();
  await eventually(async () => addressesOf((await link("theirs"))!).join() === expected);
  const configured = await link("theirs");
  t.like(configured, { mtu: 1400 });
  t.true(configured?.flags.includes("UP"));
  t.is(configured?.ifalias, undefined);
  t.deepEqual(operations(await agent.resync(wantInterface(value))), []);

  await agent.commit(dropInterface("uplink"));
  const left = await link("theirs");
  t.deepEqual(left && addressesOf(left), ["10.61.0.9/24"]);
});

test.serial("an existing interface without addresses is set as asked for, and addresses of others stay", async (t) => {
  await run(["ip", "link", "add", "bare", "type", "bridge"]);
  await run(["ip", "address", "add", "10.68.0.9/24", "dev", "bare"]);
  const value = {
    name: "bare",
    type: "EXISTING",
    enabled: true,
    mtu: 1400,
    phys_address: "02:00:00:00:68:01",
  } as const;
  await agent.commit(wantInterface(value));
  await configuredAs("bare");
  const seen = await link("bare");
  t.like(seen, { mtu: 1400, address: "02:00:00:00:68:01" });
  t.true(seen?.flags.includes("UP"));
  t.deepEqual(seen && addressesOf(seen), ["10.68.0.9/24"]);
  t.deepEqual(operations(await agent.resync(wantInterface(value))), []);
});

test.serial("an interface that does not exist is waited for, and again when it has gone", async (t) => {
  const value = { name: "uplink", type: "EXISTING", host_if_name: "theirs2", enabled: true } as const;
  const desired = wantInterface({ ...value, ip_addresses: ["10.63.0.1/24"] });
  await agent.commit(desired);
  t.like(agent.status(desired[0]), { state: "PENDING", details: ["an interface theirs2 in the host"] });
  for (let life = 0; life < 2; life++) {
    await run(["ip", "link", "add", "theirs2", "type", "bridge"]);
    await configuredAs("uplink");
    const addresses = await eventually(async () => {
      const seen = await link("theirs2");
      return seen !== undefined && addressesOf(seen).length > 0 && addressesOf(seen);
    });
    t.deepEqual(addresses, ["10.63.0.1/24"]);
    await run(["ip", "link", "delete", "theirs2"]);
    await eventually(() => agent.status(desired[0]).state === "PENDING");
  }
});

test.serial("in a namespace that is watched it is waited for too, with the namespace", async (t) => {
  const value = {
    name: "uplink",
    type: "EXISTING",
    host_if_name: "theirs3",
    enabled: true,
    namespace: WATCHED,
  } as const;
  const desired = wantInterface({ ...value, ip_addresses: ["10.66.0.1/24"] });
  const becomes = (state: string) => eventually(() => agent.status(desired[0]).state === state, { what: state });
  const isSetUp = async () => {
    const seen = await link("theirs3", { namespace: "watched" });
    return seen?.flags.includes("UP") && addressesOf(seen).join() === "10.66.0.1/24";
  };
  await agent.commit(desired);
  t.like(agent.status(desired[0]), { state: "PENDING", details: ["an interface theirs3 in namespace watched"] });
  t.false((await namespaces()).includes("watched"), "and the namespace is not made");
  for (let life = 0; life < 2; life++) {
    await createNamespace("watched");
    await run(["ip", "link", "add", "theirs3", "type", "bridge"], { namespace: "watched" });
    await becomes("CONFIGURED");
    t.true(await eventually(isSetUp));
    t.deepEqual(operations(await agent.resync(desired)), []);
    await run(["ip", "link", "delete", "theirs3"], { namespace: "watched" });
    await becomes("PENDING");
    await run(["ip", "link", "add", "theirs3", "type", "bridge"], { namespace: "watched" });
    await becomes("CONFIGURED");
    await deleteNamespace("watched");
    await becomes("PENDING");
  }
});

test.serial("link_only in a namespace that is watched waits for the addresses", async (t) => {
  await createNamespace("watched");
  await run(["ip", "link", "add", "leased2", "up", "type", "bridge"], { namespace: "watched" });
  const value = {
    ...LINK_ONLY,
    name: "leased2",
    mtu: 1400,
    ip_addresses: ["10.67.0.7/24"],
    namespace: WATCHED,
  } as const;
  await agent.commit(wantInterface(value));
  await eventually(() => agent.status(interfaceKey("leased2")).details.join() === "address 10.67.0.7/24 on leased2");
  await run(["ip", "address", "add", "10.67.0.7/24", "dev", "leased2"], { namespace: "watched" });
  await configuredAs("leased2");
  t.like(await link("leased2", { namespace: "watched" }), { mtu: 1400 });
  await deleteNamespace("watched");
  await eventually(() => agent.status(interfaceKey("leased2")).state === "PENDING");
});

test.serial("in another namespace an interface must be there already, and so must the namespace", async (t) => {
  const namespace = { type: "NSID", reference: "foreign-place" } as const;
  const value = { name: "uplink", type: "EXISTING", host_if_name: "nobodys", namespace } as const;
  const first = await agent.commit(wantInterface(value));
  t.regex(states(first)[interfaceKey("uplink")] ?? "", /FAILED: .*namespace.reference: .*foreign-place/);
  t.false((await namespaces()).includes("foreign-place"));
  await createNamespace("foreign-place");
  const second = await agent.commit(wantInterface({ ...value, mtu: 1400 }));
  t.regex(states(second)[interfaceKey("uplink")] ?? "", /FAILED: .*host_if_name: there is no interface nobodys/);
  await deleteNamespace("foreign-place");
});

test.serial("link_only without addresses leaves addresses and MAC address to others", async (t) => {
  await run(["ip", "link", "add", "plain", "address", "02:00:00:00:61:01", "type", "bridge"]);
  await run(["ip", "address", "add", "10.62.0.9/24", "dev", "plain"]);
  const value = { ...LINK_ONLY, name: "plain", phys_address: "02:00:00:00:61:0f" } as const;
  await agent.commit(wantInterface(value));
  await configuredAs("plain");
  const seen = await link("plain");
  t.is(seen?.address, "02:00:00:00:61:01");
  t.deepEqual(seen && addressesOf(seen), ["10.62.0.9/24"]);
  t.deepEqual(operations(await agent.resync(wantInterface(value))), []);
});

test.serial("link_only with addresses waits until somebody else has put them there", async (t) => {
  await run(["ip", "link", "add", "leased", "type", "bridge"]);
  const value = { ...LINK_ONLY, name: "leased", mtu: 1400, ip_addresses: ["10.64.0.7/24"] } as const;
  const route = wantRoute({ dst_network: "10.65.0.0/16", outgoing_interface: "leased" });
  await agent.commit(wantInterface(value), route);
  await eventually(() => agent.status(interfaceKey("leased")).details.join() === "address 10.64.0.7/24 on leased");
  t.like(agent.status(interfaceKey("leased")), { state: "PENDING" });
  await run(["ip", "link", "set", "leased", "up"]);
  await run(["ip", "address", "add", "10.64.0.7/24", "dev", "leased"]);
  await configuredAs("leased");
  t.like(await link("leased"), { mtu: 1400 });
  await eventually(() => agent.status(route[0]).state === "CONFIGURED");
  await run(["ip", "address", "delete", "10.64.0.7/24", "dev", "leased"]);
  await eventually(() => agent.status(interfaceKey("leased")).state === "PENDING");
  t.is(agent.status(route[0]).state, "PENDING");
});

test.serial("a TAP for VPP is waited for and configured, and stays when its value goes", async (t) => {
  const value = { name: "to-vpp", type: "TAP_TO_VPP", enabled: true, tap: { vpp_tap_if_name: "vpp-tap0" } } as const;
  const desired = wantInterface({ ...value, ip_addresses: ["10.66.0.1/24"] });
  await agent.commit(desired);
  t.is(agent.status(desired[0]).state, "PENDING");
  await run(["ip", "tuntap", "add", "vpp-tap0", "mode", "tap"]);
  await configuredAs("to-vpp");
  t.true((await link("vpp-tap0"))?.flags.includes("UP"));
  await eventually(async () => addressesOf((await link("vpp-tap0"))!).join() === "10.66.0.1/24");
  t.deepEqual(operations(await agent.resync(desired)), []);
  await agent.commit(dropInterface("to-vpp"));
  t.deepEqual(addressesOf((await link("vpp-tap0"))!), []);
});

test.serial(
  "a second look at one interface knows the others that it stands on, belongs to and borrows from",
  async (t) => {
    await run(["ip", "link", "add", "base", "type", "veth", "peer", "name", "basep"]);
    const base = { name: "uplink", type: "EXISTING", host_if_name: "base", enabled: true } as const;
    await agent.commit(
      wantInterface({ ...base, ip_addresses: ["10.67.0.1/24"] }),
      wantInterface({ name: "port", type: "EXISTING", host_if_name: "basep" }),
      wantInterface({ name: "upper", type: "MACVLAN", unnumbered: "uplink", macvlan: { lower_interface: "uplink" } }),
      wantInterface({ name: "bridge", type: "BRIDGE", bridge: { ports: [{ interface: "port" }] } }),
    );
    for (const name of ["uplink", "port", "upper", "bridge"]) await configuredAs(name);
    await eventually(async () => (await link("basep"))?.master === "bridge");
    for (const name of ["upper", "bridge", "uplink", "port"]) {
      const record = await agent.scheduler.refresh([interfaceKey(name)]);
      t.deepEqual(record === undefined ? [] : operations(record), []);
    }
  },
);

test.serial("what is no TAP is not taken for VPP's", async (t) => {
  await run(["ip", "link", "add", "no-tap", "type", "bridge"]);
  const value = { name: "to-vpp", type: "TAP_TO_VPP", tap: { vpp_tap_if_name: "no-tap" } } as const;
  await agent.commit(wantInterface(value));
  await eventually(() => /no-tap is no TAP but a bridge/.test(agent.status(interfaceKey("to-vpp")).error));
  t.truthy(await link("no-tap"));
});

test.serial("the loopback of a namespace takes addresses", async (t) => {
  const namespace = { type: "NSID", reference: "looped" } as const;
  const value = { name: "loop", type: "LOOPBACK", enabled: true, namespace, ip_addresses: ["192.0.2.61/32"] } as const;
  t.is((await agent.commit(wantInterface(value))).error, "");
  const lo = await link("lo", { namespace: "looped" });
  t.true(lo && addressesOf(lo).includes("192.0.2.61/32"));
  t.deepEqual(operations(await agent.resync(wantInterface(value))), []);
});
