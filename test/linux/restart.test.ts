import { spawn } from "node:child_process";
import { readlink } from "node:fs/promises";
import test, { type ExecutionContext } from "ava";
import { Marker } from "#plugins/linux/interfaces/marker.js";
import { interfaceKey } from "#proto/index.js";
import { eventually } from "#test/support/eventually.js";
import { ip, link, links, run } from "#test/support/sandbox.js";
import { NetworkAgent, operations, wantInterface, wantNeighbour, wantRoute } from "./support/network.js";

const place = { namespace: { type: "NSID", reference: "inside" } } as const;
const inner = {
  ...place,
  name: "inner",
  type: "VETH",
  host_if_name: "eth0",
  enabled: true,
  ip_addresses: ["10.12.0.2/24", "fd00:12::2/64"],
  mtu: 1400,
  phys_address: "02:00:00:00:12:0F",
  veth: { peer_if_name: "outer", rx_checksum_offloading: "DEFAULT" },
} as const;
const outer = {
  name: "outer",
  type: "VETH",
  enabled: true,
  ip_addresses: ["10.12.0.1/24", "FD00:12::1/64"],
  veth: { peer_if_name: "inner" },
} as const;
const UPLINK = ["192.0.2.66/24"] as const;
const desired = [
  wantInterface(outer),
  wantInterface(inner),
  wantInterface({ ...place, name: "loop", type: "LOOPBACK", enabled: true, ip_addresses: ["192.0.2.12/32"] }),
  wantRoute({ outgoing_interface: "inner", dst_network: "0.0.0.0/0", gw_addr: "10.12.0.1" }),
  wantRoute({ outgoing_interface: "inner", dst_network: "fd00:99::/48", gw_addr: "FD00:12:0::1", metric: 7 }),
  wantRoute({ outgoing_interface: "outer", dst_network: "10.99.1.7/16", scope: "LINK" }),
  wantNeighbour({ interface: "outer", ip_address: "10.12.0.77", hw_address: "02:00:00:00:00:0A" }),
  wantInterface({ name: "dependent", type: "TAP", enabled: true, unnumbered: "outer", tuntap: {} }),
  wantInterface({ name: "uplink", type: "EXISTING", host_if_name: "theirs", enabled: true, ip_addresses: UPLINK }),
  wantInterface({ name: "to-vpp", type: "TAP_TO_VPP", enabled: true, tap: { vpp_tap_if_name: "vpp-tap0" } }),
] as const;

/** Closed with the test, whatever becomes of it. */
async function started(t: ExecutionContext, label: string): Promise<NetworkAgent> {
  const agent = await NetworkAgent.start(label);
  t.teardown(() => agent.close());
  return agent;
}

/** Everything the kernel has, in both namespaces, without what it makes by itself and in its own time. */
async function everything(): Promise<unknown> {
  const places = [{}, { namespace: "inside" }];
  return Promise.all(
    places.map(async (where) => [
      (await links(where)).map((each) => ({
        ...each,
        operstate: "",
        addr_info: each.addr_info.filter(({ scope }) => scope !== "link"),
      })),
      await ip("-4", "-details", "route", "show", "table", "all", "proto", "199", where),
      await ip("-6", "-details", "route", "show", "table", "all", "proto", "199", where),
      await ip("neighbour", "show", "nud", "permanent", where),
    ]),
  );
}

test.serial("a restarted agent finds what it made and what it configured, and changes nothing", async (t) => {
  await run(["ip", "tuntap", "add", "theirs", "mode", "tap"]);
  await run(["ip", "tuntap", "add", "vpp-tap0", "mode", "tap"]);
  const first = await started(t, "again");
  t.is((await first.commit(...desired)).error, "");
  await first.close();
  const before = await everything();

  const second = await started(t, "again");
  const record = await second.resync(...desired);
  for (const [key] of desired) t.is(second.status(key).state, "CONFIGURED", key);
  t.deepEqual(await everything(), before);
  t.deepEqual(operations(record), []);
  t.deepEqual(operations(await second.resync(...desired)), []);
});

test.serial("what was made and is desired no more goes with a resync, and the namespace with it", async (t) => {
  const agent = await started(t, "again");
  await agent.resync(desired[0], desired[1]);
  t.deepEqual(await ip("route", "show", "proto", "199"), []);
  t.deepEqual(await ip("neighbour", "show", "nud", "permanent"), []);
  await agent.resync();
  t.is(await link("outer"), undefined);
});

test.serial("what is ours is changed only where it differs, and anything else stays the same link", async (t) => {
  const first = await started(t, "again");
  t.is((await first.commit(...desired)).error, "");
  const before = (await link("outer"))?.ifindex;
  await first.close();
  await run(["ip", "link", "set", "outer", "mtu", "1300"]);
  const second = await started(t, "again");
  const record = await second.resync(wantInterface({ ...outer, mtu: 1400 }), ...desired.slice(1));
  t.is(record.error, "");
  t.like(await link("outer"), { ifindex: before, mtu: 1400 });
  t.deepEqual(operations(record), [`UPDATE ${interfaceKey("outer")}`]);
  await second.resync();
});

test.serial("another agent's interfaces are left alone", async (t) => {
  const ours = await started(t, "ours");
  const theirs = await started(t, "theirs");
  await theirs.commit(desired[0], desired[1]);
  t.deepEqual(operations(await ours.resync()), []);
  t.truthy(await link("outer"));
  await theirs.resync();
});

test.serial("an end whose mark is missing is made anew with its pair", async (t) => {
  const agent = await started(t, "again");
  await agent.commit(desired[0], desired[1]);
  await run(["ip", "link", "set", "dev", "eth0", "alias", ""], { namespace: "inside" });
  const record = await agent.scheduler.resyncDownstream();
  t.is(record.error, "");
  t.is((await link("eth0", { namespace: "inside" }))?.ifalias, "tenuto:again:inner");
  await agent.resync();
});

test.serial("a pair that a crash left half-made does not stand in the way", async (t) => {
  const unfinished = String(new Marker("again").unfinishedGroup);
  const peer = ["type", "veth", "peer", "name", "half"];
  await run(["ip", "link", "add", "outer", "group", unfinished, ...peer, "group", unfinished]);
  const agent = await started(t, "again");
  const record = await agent.resync(desired[0], desired[1]);
  t.is(record.error, "");
  t.is(await link("half"), undefined);
  t.is((await link("outer"))?.ifalias, "tenuto:again:outer");
  await agent.resync();
});

test.serial("a pair in the namespace of a process is recognised too", async (t) => {
  const child = spawn("unshare", ["--net", "sleep", "infinity"], { stdio: "ignore" });
  t.teardown(() => child.kill());
  const home = await readlink("/proc/self/ns/net");
  await eventually(async () => (await readlink(`/proc/${child.pid}/ns/net`)) !== home, {
    what: "the process's namespace",
  });
  const namespace = { type: "PID", reference: String(child.pid) } as const;
  const ends = [desired[0], wantInterface({ ...inner, namespace })] as const;

  const first = await started(t, "again");
  t.is((await first.commit(...ends)).error, "");
  const before = await link("outer");
  await first.close();

  const second = await started(t, "again");
  t.is((await second.resync(...ends)).error, "");
  t.is((await link("outer"))?.ifindex, before?.ifindex);
  t.deepEqual(operations(await second.resync(...ends)), []);
  await second.resync();
  t.is(await link("outer"), undefined);
});
