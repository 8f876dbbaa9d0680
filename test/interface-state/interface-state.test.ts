import test from "ava";
import { dropInterface, wantInterface } from "#test/linux/support/network.js";
import { eventually } from "#test/support/eventually.js";
import { run } from "#test/support/sandbox.js";
import { ipBatch, MIN_INTERVAL_MS, Watched } from "./support/watched.js";

const inside = { namespace: { type: "NSID", reference: "seen" } } as const;
const near = {
  name: "near",
  type: "VETH",
  enabled: true,
  ip_addresses: ["10.31.0.1/24", "fd00:31::1/64"],
  phys_address: "02:00:00:00:31:01",
  mtu: 1400,
  veth: { peer_if_name: "far" },
} as const;
const far = {
  ...inside,
  name: "far",
  type: "VETH",
  host_if_name: "eth0",
  enabled: true,
  veth: { peer_if_name: "near" },
} as const;

let watched: Watched;
test.beforeEach(async () => {
  watched = await Watched.start({ statistics_interval: "50ms" });
});
test.afterEach.always(() => watched.close());

const isUp = (name: string) => () => watched.isUp(name);

test.serial("the state of an interface is what the kernel has", async (t) => {
  await watched.agent.commit(wantInterface(near), wantInterface(far));
  await eventually(() => isUp("near")() && watched.latest("near")?.ip_addresses?.includes("fd00:31::1/64"));
  const state = watched.latest("near");
  t.like(state, {
    name: "near",
    internal_name: "near",
    type: "VETH",
    admin_status: "UP",
    oper_status: "UP",
    phys_address: "02:00:00:00:31:01",
    mtu: 1400,
    managed: true,
    kind: "veth",
  });
  t.true(state?.ip_addresses?.includes("10.31.0.1/24"));
  t.true(Math.abs(Number(state?.last_change) - Date.now() / 1000) < 60);
  await eventually(isUp("far"));
  t.like(watched.latest("far"), { internal_name: "eth0", ...inside });
});

test.serial("an interface that goes down, or away, is told", async (t) => {
  await watched.agent.commit(wantInterface(near), wantInterface(far));
  await eventually(isUp("near"));
  await run(["ip", "link", "set", "dev", "eth0", "down"], { namespace: "seen" });
  await eventually(() => watched.latest("near")?.oper_status === "DOWN");
  t.like(
    watched.about("near").findLast(({ type }) => type === "UPDOWN"),
    { state: { admin_status: "UP", oper_status: "DOWN" } },
  );
  await watched.agent.commit(dropInterface("near"));
  t.like(watched.about("near").at(-1), { type: "UPDOWN", state: { admin_status: "DELETED", oper_status: "DELETED" } });
});

test.serial("a change that is not up or down is told as a change", async (t) => {
  await watched.agent.commit(wantInterface(near), wantInterface(far));
  await eventually(isUp("near"));
  await watched.agent.commit(wantInterface({ ...near, mtu: 1300, host_if_name: "renamed" }));
  await eventually(() => watched.latest("near")?.mtu === 1300 && watched.latest("near")?.internal_name === "renamed");
  t.true(watched.about("near").some(({ type, state }) => type === "CHANGED" && state?.mtu === 1300));
});

test.serial("an interface that moves to another namespace is followed there", async (t) => {
  await watched.agent.commit(wantInterface(near), wantInterface(far));
  await eventually(isUp("far"));
  const moved = { type: "NSID", reference: "seen-too" } as const;
  await watched.agent.commit(wantInterface({ ...far, namespace: moved }));
  await eventually(() => watched.latest("far")?.namespace?.reference === "seen-too" && isUp("far")());
  await run(["ip", "link", "set", "dev", "eth0", "mtu", "1350"], { namespace: "seen-too" });
  await t.notThrowsAsync(eventually(() => watched.latest("far")?.mtu === 1350));
});

test.serial("counters are told on the interval, as text", async (t) => {
  await watched.agent.commit(wantInterface(near), wantInterface(far));
  await eventually(isUp("near"));
  const counted = await eventually(() =>
    watched
      .about("near")
      .find(({ type, state }) => type === "STATISTICS" && state?.statistics?.out_packets !== undefined),
  );
  t.regex(counted.state?.statistics?.out_packets ?? "", /^[1-9]\d*$/);
});

test.serial("a flapping interface is folded into a few notifications, and the last state is right", async (t) => {
  await watched.agent.commit(wantInterface(near), wantInterface(far));
  await eventually(isUp("near"));
  const before = watched.about("near").length;
  const start = performance.now();
  const flaps = Array.from({ length: 200 }, (_, i) => `link set dev near mtu ${1301 + (i % 40)}`);
  await ipBatch([...flaps, "link set dev near mtu 1350"]);
  await eventually(() => watched.latest("near")?.mtu === 1350);
  const told = watched
    .about("near")
    .slice(before)
    .filter(({ type }) => type !== "STATISTICS");
  // The first at once, the others no faster than min_interval, however long a busy machine took for the changes.
  const most = 3 + (performance.now() - start) / MIN_INTERVAL_MS;
  t.true(told.length < most, `${told.length} notifications`);
  t.true(told.reduce((sum, { state }) => sum + (state?.folded_changes ?? 0), 0) > 100);
});
