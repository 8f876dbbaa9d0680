import test from "ava";
import { dropInterface, wantInterface } from "#test/linux/support/network.js";
import { eventually } from "#test/support/eventually.js";
import { ip, run } from "#test/support/sandbox.js";
import { ipBatch, pair, Watched } from "./support/watched.js";

/** Which notifications there are, and in which order. */

let watched: Watched;
async function start(configuration: object = {}, others: Readonly<Record<string, object>> = {}): Promise<void> {
  watched = await Watched.start(configuration, others);
}
test.beforeEach(() => start());
test.afterEach.always(() => watched.close());

async function restart(configuration: object, others: Readonly<Record<string, object>> = {}): Promise<void> {
  await watched.close();
  await start(configuration, others);
}

const sequences = () => watched.all().map(({ state }) => Number(state?.sequence));

test.serial("what the first transaction made is a snapshot, what comes later is created", async (t) => {
  await watched.agent.commit(...pair("first", "first-far"));
  await watched.agent.commit(...pair("later", "later-far"));
  await eventually(() => watched.isUp("first") && watched.isUp("later"));
  t.is(watched.about("first")[0]?.type, "SNAPSHOT");
  t.is(watched.about("later")[0]?.type, "CREATED");
});

test.serial("notifications of all interfaces are numbered together, without gaps", async (t) => {
  await watched.agent.commit(...pair("near", "far"), ...pair("east", "west"));
  await eventually(() => ["near", "far", "east", "west"].every((name) => watched.isUp(name)));
  await watched.agent.commit(dropInterface("far"));
  t.deepEqual(
    sequences(),
    sequences().map((_, i) => i + 1),
  );
});

test.serial("an interface that somebody else deletes, or takes away, is told as deleted at once", async (t) => {
  await watched.agent.commit(...pair("lost", "lost-far"), ...pair("taken", "taken-far"));
  await eventually(() => watched.isUp("lost") && watched.isUp("taken"));
  await run(["ip", "link", "delete", "lost"]);
  await eventually(() => watched.latest("lost")?.oper_status === "DELETED");
  await eventually(() => watched.latest("lost-far")?.oper_status === "DELETED");
  await run(["ip", "netns", "add", "thief"]);
  await run(["ip", "link", "set", "dev", "taken", "netns", "thief"]);
  await eventually(() => watched.latest("taken")?.oper_status === "DELETED");
  t.like(watched.about("lost").at(-1), { type: "UPDOWN", state: { admin_status: "DELETED" } });
});

test.serial("another link under the same name is one that went and another that came", async (t) => {
  await watched.agent.commit(...pair("same", "same-far"));
  await eventually(() => watched.isUp("same"));
  const before = watched.latest("same")?.if_index;
  const { length } = watched.story("same");
  await watched.agent.commit(
    wantInterface({ name: "same", type: "BRIDGE", enabled: true, bridge: {} }),
    dropInterface("same-far"),
  );
  await eventually(() => watched.latest("same")?.kind === "bridge");
  t.deepEqual(
    watched
      .story("same")
      .slice(length)
      .map((line) => line.replace(/ (UP|DOWN)$/, ""))
      .filter((line) => line !== "UPDOWN" && line !== "CHANGED"),
    ["UPDOWN DELETED", "CREATED"],
  );
  t.not(watched.latest("same")?.if_index, before);
});

test.serial("an index that is used again is not confused with the link that had it", async (t) => {
  await watched.agent.commit(...pair("old", "old-far"));
  await eventually(() => watched.isUp("old"));
  const index = watched.latest("old")?.if_index;
  await ipBatch(["link delete old", `link add reused index ${index} mtu 1300 type bridge`, "link set dev reused up"]);
  await eventually(() => watched.latest("old")?.oper_status === "DELETED");
  t.false(watched.all().some(({ state }) => state?.internal_name === "reused"));
});

test.serial("counters that did not move are not told, if so configured", async (t) => {
  await restart({ statistics_interval: "20ms", statistics_delta_only: true });
  const told = (name: string) => watched.about(name).filter(({ type }) => type === "STATISTICS");
  await run(["sh", "-c", "echo 1 > /proc/sys/net/ipv6/conf/default/disable_ipv6"]);
  await watched.agent.commit(
    ...pair("idle", "idle-far"),
    ...pair("busy", "busy-far", { ip_addresses: ["10.83.0.1/24"] }),
  );
  await eventually(() => watched.latest("idle")?.speed && watched.latest("busy")?.speed);
  const { length } = told("busy");
  for (const round of [1, 2, 3]) {
    await run([
      "bash",
      "-c",
      `ip neighbour replace 10.83.0.2 lladdr 02:00:00:00:83:02 dev busy; echo x > /dev/udp/10.83.0.2/9`,
    ]);
    await eventually(() => told("busy").length >= length + round);
  }
  t.deepEqual(told("idle"), []);
  await run(["sh", "-c", "echo 0 > /proc/sys/net/ipv6/conf/default/disable_ipv6"]);
});

test.serial("events that the kernel dropped are made up for", async (t) => {
  await restart({}, { netlink: { event_buffer_bytes: 4096 } });
  await watched.agent.commit(...pair("flood", "flood-far"), ...pair("drowned", "drowned-far"));
  await eventually(() => watched.isUp("flood") && watched.isUp("drowned"));
  const noise = Array.from({ length: 2000 }, (_, i) => `link set dev flood mtu ${1300 + (i % 100)}`);
  await ipBatch([
    ...noise,
    "link set dev drowned mtu 1234",
    "address add 10.84.0.1/24 dev drowned",
    "link delete flood-far",
    ...Array.from({ length: 500 }, (_, i) => `link set dev drowned-far mtu ${1300 + (i % 100)}`),
  ]);
  await eventually(() => watched.latest("drowned")?.mtu === 1234);
  await eventually(() => watched.latest("drowned")?.ip_addresses?.includes("10.84.0.1/24"));
  for (const name of ["flood", "flood-far"]) await eventually(() => watched.latest(name)?.oper_status === "DELETED");
  await eventually(() => watched.latest("drowned-far")?.mtu === 1399);
  t.like((await ip("link", "show", "drowned-far"))[0], { mtu: 1399 });
});
