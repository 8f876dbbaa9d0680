import test from "ava";
import { interfaceKey, routeKey } from "#proto/index.js";
import {
  dropInterface,
  NetworkAgent,
  operations,
  states,
  wantInterface,
  wantRoute,
} from "#test/linux/support/network.js";
import { eventually } from "#test/support/eventually.js";
import { addressesOf, ip, link, run } from "#test/support/sandbox.js";

// The control flows of the guide that Linux has, on a real kernel. flows.test.ts has all of them, in memory.

let agent: NetworkAgent;
test.beforeEach(async () => {
  agent = await NetworkAgent.start("flows", { "interface-watcher": { settle_delay: "1ms" } });
});
test.afterEach.always(async () => {
  await agent.resync();
  await agent.close();
});

const bridge = { name: "my-bridge", type: "BRIDGE", enabled: true } as const;

/** Destinations of the routes of ours out of an interface. */
async function routesOf(name: string): Promise<readonly string[]> {
  const routes = await ip<{ readonly dst: string }>("route", "show", "proto", "199", "dev", name);
  return routes.map(({ dst }) => dst);
}

test.serial("AF-Packet interface: it waits for a host link that somebody else makes", async (t) => {
  const value = { name: "captured", type: "EXISTING", host_if_name: "theirs", enabled: true } as const;
  const asked = await agent.commit(wantInterface(value));
  t.like(asked.values[0], { state: "PENDING", details: ["an interface theirs in the host"] });

  await run(["ip", "link", "add", "theirs", "type", "bridge"]);
  await eventually(() => agent.status(interfaceKey("captured")).state === "CONFIGURED");
  t.true((await link("theirs"))?.flags.includes("UP"));

  await run(["ip", "link", "delete", "theirs"]);
  await eventually(() => agent.status(interfaceKey("captured")).state === "PENDING");
});

test.serial("AF-Packet interface: a macvlan waits for the interface that it sits on", async (t) => {
  const macvlan = { name: "my-macvlan", type: "MACVLAN", enabled: true, macvlan: { lower_interface: bridge.name } };
  const asked = await agent.commit([interfaceKey(macvlan.name), macvlan]);
  t.is(asked.values[0]?.state, "PENDING");
  t.is(await link(macvlan.name), undefined);

  await agent.commit(wantInterface(bridge));
  t.is(agent.status(interfaceKey(macvlan.name)).state, "CONFIGURED");
  t.truthy(await link(macvlan.name));

  const gone = await agent.commit(dropInterface(bridge.name));
  t.is(operations(gone).at(-1), `DELETE ${interfaceKey(bridge.name)}`);
  t.is(agent.status(interfaceKey(macvlan.name)).state, "PENDING");
});

test.serial("bridge domain: the bridge is there at once, and each port joins when its interface comes", async (t) => {
  const ports = { ports: [{ interface: "left" }, { interface: "right" }] };
  await agent.commit(wantInterface({ ...bridge, bridge: ports }));
  t.is(agent.status(interfaceKey(bridge.name)).state, "CONFIGURED");

  const pair = [
    { name: "left", type: "VETH", enabled: true, veth: { peer_if_name: "right" } },
    { name: "right", type: "VETH", enabled: true, veth: { peer_if_name: "left" } },
  ] as const;
  await agent.commit(...pair.map(wantInterface));
  const masters = async () => Promise.all(pair.map(async ({ name }) => (await link(name))?.master));
  t.deepEqual(await masters(), [bridge.name, bridge.name]);

  await agent.commit(dropInterface("right"));
  t.is(agent.status(interfaceKey(bridge.name)).state, "CONFIGURED");
  t.truthy(await link(bridge.name));
});

test.serial("interface re-creation: a route on a VXLAN is put aside and brought back", async (t) => {
  const vxlan = (vni: number) =>
    ({
      name: "my-vxlan",
      type: "VXLAN",
      enabled: true,
      ip_addresses: ["10.71.0.1/24"],
      vxlan: { vni, remote: "10.255.255.1" },
    }) as const;
  const route = { dst_network: "10.72.0.0/16", outgoing_interface: "my-vxlan", gw_addr: "10.71.0.254" } as const;
  await agent.commit(wantInterface(vxlan(7)), wantRoute(route));
  t.deepEqual(await routesOf("my-vxlan"), ["10.72.0.0/16"]);
  const before = (await link("my-vxlan"))?.ifindex;

  const changed = await agent.commit(wantInterface(vxlan(8)));
  const done = operations(changed);
  const order = [
    `DELETE ${routeKey(route.dst_network, route.outgoing_interface)}`,
    `DELETE ${interfaceKey("my-vxlan")}`,
    `CREATE ${interfaceKey("my-vxlan")}`,
    `CREATE ${routeKey(route.dst_network, route.outgoing_interface)}`,
  ].map((operation) => done.indexOf(operation));
  t.false(order.includes(-1));
  t.deepEqual(
    order,
    [...order].sort((a, b) => a - b),
  );
  t.deepEqual(await routesOf("my-vxlan"), ["10.72.0.0/16"]);
  t.not((await link("my-vxlan"))?.ifindex, before);
});

test.serial("retry of a failed operation: it succeeds when what was in its way is gone", async (t) => {
  await run(["ip", "link", "add", "taken", "type", "bridge"]);
  const [key, value] = wantInterface({ ...bridge, host_if_name: "taken" });
  const retry = { period: 20, maxCount: 1_000, exponentialBackoff: false };
  const failed = await agent.scheduler.commit({ changes: [[key, value]], retry });
  t.is(failed.values[0]?.state, "RETRYING");
  await run(["ip", "link", "delete", "taken"]);
  await eventually(() => agent.status(key).state === "CONFIGURED");
  t.truthy((await link("taken"))?.ifalias, "it is ours now");
});

test.serial("transaction revert: an interface goes again when the one on it is refused", async (t) => {
  await run(["ip", "link", "add", "taken", "type", "bridge"]);
  const refused = { name: "refused", type: "BRIDGE", host_if_name: "taken" } as const;
  const changes = [wantInterface(bridge), wantInterface(refused)];
  const reverted = await agent.scheduler.commit({ changes, atomic: true });
  t.true(reverted.reverted);
  t.is(reverted.values[1]?.state, "FAILED");
  t.is(await link(bridge.name), undefined);
  t.truthy(await link("taken"), "what belongs to others stays");
  await run(["ip", "link", "delete", "taken"]);
});

test.serial("route waiting for the associated interface", async (t) => {
  const route = { dst_network: "10.75.0.0/16", outgoing_interface: bridge.name } as const;
  const asked = await agent.commit(wantRoute(route));
  t.is(asked.values[0]?.state, "PENDING");
  const came = await agent.commit(wantInterface(bridge));
  t.is(agent.status(routeKey(route.dst_network, bridge.name)).state, "CONFIGURED", JSON.stringify(states(came)));
  t.deepEqual(await routesOf(bridge.name), ["10.75.0.0/16"]);
});

test.serial(
  "unnumbered interface: it is there at once, and borrows the address of another when that comes",
  async (t) => {
    const donor = { ...bridge, name: "my-loopback", ip_addresses: ["10.77.0.1/24"] } as const;
    const value = { name: "my-tap", type: "TAP", enabled: true, unnumbered: donor.name, tuntap: {} } as const;
    const addresses = async () => addressesOf((await link(value.name))!);
    await agent.commit(wantInterface(value));
    t.is(agent.status(interfaceKey(value.name)).state, "CONFIGURED");
    t.deepEqual(await addresses(), []);
    const donated = () => agent.status(interfaceKey(value.name)).derived.find(({ key }) => key.includes("unnumbered"));
    t.like(donated(), { state: "PENDING", details: ["addresses of interface my-loopback"] });

    await agent.commit(wantInterface(donor));
    t.is(donated()?.state, "CONFIGURED");
    t.deepEqual(await addresses(), ["10.77.0.1/32"]);

    const gone = await agent.commit(dropInterface(donor.name));
    t.true(
      operations(gone).indexOf(`DELETE ${donated()?.key}`) <
        operations(gone).indexOf(`DELETE ${interfaceKey(donor.name)}`),
    );
    t.deepEqual(await addresses(), []);
    t.is(donated()?.state, "PENDING");
  },
);

test.serial("drift: a link that somebody deletes comes back with the routes that went with it", async (t) => {
  const route = { dst_network: "10.76.0.0/16", outgoing_interface: bridge.name } as const;
  await agent.commit(wantInterface(bridge), wantRoute(route));
  await run(["ip", "link", "delete", bridge.name]);
  await agent.scheduler.refresh([interfaceKey(bridge.name)]);
  t.truthy(await link(bridge.name));
  t.deepEqual(await routesOf(bridge.name), ["10.76.0.0/16"]);
});
