import test from "ava";
import { type EventEnvelope, StateSink } from "#core/northbound/index.js";
import { type Plugin, plugin } from "#core/plugin/index.js";
import type { InterfaceNotification } from "#proto/index.js";
import { dropInterface, NetworkAgent, wantInterface } from "#test/linux/support/network.js";
import { eventually } from "#test/support/eventually.js";
import { run } from "#test/support/sandbox.js";

const published: EventEnvelope[] = [];

/** Keeps everything that is published. */
@plugin({ name: "recorder", provides: [StateSink] })
class RecorderPlugin implements Plugin, StateSink {
  readonly name = "recorder";

  publish(envelope: EventEnvelope): void {
    published.push(envelope);
  }

  close(): void {
    published.length = 0;
  }
}

/** Notifications about an interface, in order. */
function about(name: string): readonly InterfaceNotification[] {
  return published
    .filter(({ event }) => event.kind === "interface" && event.name === name)
    .map(({ event }) => event.data as InterfaceNotification);
}

function latest(name: string): InterfaceNotification["state"] {
  return about(name).at(-1)?.state;
}

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

let agent: NetworkAgent;
test.beforeEach(async () => {
  // What these tests change behind the agent's back is to stay: nothing here is about repair.
  const configuration = {
    "linux-drift": { policy: "report" },
    "interface-state": { statistics_interval: "50ms", min_interval: "100ms" },
  };
  agent = await NetworkAgent.start("state", configuration, [RecorderPlugin]);
});
test.afterEach.always(async () => {
  await agent.resync();
  await agent.close();
});

const isUp = (name: string) => () => latest(name)?.oper_status === "UP";

test.serial("the state of an interface is what the kernel has", async (t) => {
  await agent.commit(wantInterface(near), wantInterface(far));
  await eventually(() => isUp("near")() && latest("near")?.ip_addresses?.includes("fd00:31::1/64"));
  const state = latest("near");
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
  t.like(latest("far"), { internal_name: "eth0", ...inside });
});

test.serial("an interface that goes down, or away, is told", async (t) => {
  await agent.commit(wantInterface(near), wantInterface(far));
  await eventually(isUp("near"));
  await run(["ip", "link", "set", "dev", "eth0", "down"], { namespace: "seen" });
  await eventually(() => latest("near")?.oper_status === "DOWN");
  t.like(
    about("near").findLast(({ type }) => type === "UPDOWN"),
    { state: { admin_status: "UP", oper_status: "DOWN" } },
  );
  await agent.commit(dropInterface("near"));
  t.like(about("near").at(-1), { type: "UPDOWN", state: { admin_status: "DELETED", oper_status: "DELETED" } });
  t.true(
    published.findLast(({ event }) => event.kind === "interface" && event.name === "near")?.event.kind === "interface",
  );
});

test.serial("a change that is not up or down is told as a change", async (t) => {
  await agent.commit(wantInterface(near), wantInterface(far));
  await eventually(isUp("near"));
  await agent.commit(wantInterface({ ...near, mtu: 1300, host_if_name: "renamed" }));
  await eventually(() => latest("near")?.mtu === 1300 && latest("near")?.internal_name === "renamed");
  t.true(about("near").some(({ type, state }) => type === "CHANGED" && state?.mtu === 1300));
});

test.serial("an interface that moves to another namespace is followed there", async (t) => {
  await agent.commit(wantInterface(near), wantInterface(far));
  await eventually(isUp("far"));
  const moved = { type: "NSID", reference: "seen-too" } as const;
  await agent.commit(wantInterface({ ...far, namespace: moved }));
  await eventually(() => latest("far")?.namespace?.reference === "seen-too" && isUp("far")());
  await run(["ip", "link", "set", "dev", "eth0", "mtu", "1350"], { namespace: "seen-too" });
  await t.notThrowsAsync(eventually(() => latest("far")?.mtu === 1350));
});

test.serial("counters are told on the interval, as text", async (t) => {
  await agent.commit(wantInterface(near), wantInterface(far));
  await eventually(isUp("near"));
  const counted = await eventually(() =>
    about("near").find(({ type, state }) => type === "STATISTICS" && state?.statistics?.out_packets !== undefined),
  );
  t.regex(counted.state?.statistics?.out_packets ?? "", /^[1-9]\d*$/);
});

test.serial("a flapping interface is folded into a few notifications, and the last state is right", async (t) => {
  await agent.commit(wantInterface(near), wantInterface(far));
  await eventually(isUp("near"));
  const before = about("near").length;
  const flaps = Array.from({ length: 200 }, (_, i) => `link set dev near mtu ${1301 + (i % 40)}`);
  await run(["sh", "-c", `printf '%s\\n' "$0" | ip -batch -`, [...flaps, "link set dev near mtu 1350"].join("\n")]);
  await eventually(() => latest("near")?.mtu === 1350);
  const told = about("near")
    .slice(before)
    .filter(({ type }) => type !== "STATISTICS");
  t.true(told.length < 20, `${told.length} notifications`);
  t.true(told.reduce((sum, { state }) => sum + (state?.folded_changes ?? 0), 0) > 100);
});

test.serial("notifications of an interface are numbered without gaps", async (t) => {
  await agent.commit(wantInterface(near), wantInterface(far));
  await agent.commit(dropInterface("far"));
  await agent.commit(wantInterface(far));
  await eventually(isUp("near"));
  const numbers = about("near").map(({ state }) => Number(state?.sequence));
  t.deepEqual(
    numbers,
    numbers.map((_, i) => i + 1),
  );
});
