import { isDeepStrictEqual } from "node:util";
import test from "ava";
import { SettledLinks } from "#plugins/interface-watcher/settled-links.js";
import { WatchedNamespace } from "#plugins/interface-watcher/watched-namespace.js";
import { Netlink } from "#plugins/netlink/index.js";
import { HOST_NAME_PREFIX, hostNameAddressKey, hostNameKey } from "#proto/index.js";
import { NetworkAgent } from "#test/linux/support/network.js";
import { eventually } from "#test/support/eventually.js";
import { links, run } from "#test/support/sandbox.js";

const SETTLE_MS = 200;

let agent: NetworkAgent;
test.before(async () => {
  await run(["ip", "link", "add", "early", "up", "type", "bridge"]);
  agent = await NetworkAgent.start("watcher", { "interface-watcher": { settle_delay: `${SETTLE_MS}ms` } });
});
test.after.always(() => agent.close());

const state = (key: string) => agent.status(key).state;
const obtained = (key: string) => eventually(() => state(key) === "OBTAINED", { what: `${key} to be obtained` });
const gone = (key: string) => eventually(() => state(key) === "NONEXISTENT", { what: `${key} to go` });

/** Makes a pair, so that its ends have a carrier. */
async function addPair(name: string): Promise<void> {
  await run(["ip", "link", "add", name, "up", "type", "veth", "peer", "name", `${name}-peer`]);
  await run(["ip", "link", "set", "dev", `${name}-peer`, "up"]);
}

test.serial("what was there when the agent started is known to a resync", async (t) => {
  await run(["ip", "link", "set", "dev", "lo", "up"]);
  await agent.resync();
  await t.notThrowsAsync(obtained(hostNameKey("lo")));
  await t.notThrowsAsync(obtained(hostNameAddressKey("lo", "127.0.0.1/8")));
});

test.serial("a new interface is announced once it has settled, with its addresses", async (t) => {
  const start = performance.now();
  await addPair("fresh");
  await run(["ip", "address", "add", "10.41.0.1/24", "dev", "fresh"]);
  await obtained(hostNameKey("fresh"));
  t.true(performance.now() - start >= SETTLE_MS);
  await t.notThrowsAsync(obtained(hostNameAddressKey("fresh", "10.41.0.1/24")));
  await run(["ip", "address", "add", "fd00:41::1/64", "dev", "fresh"]);
  await t.notThrowsAsync(obtained(hostNameAddressKey("fresh", "fd00:41::1/64")));
  await run(["ip", "address", "delete", "10.41.0.1/24", "dev", "fresh"]);
  await t.notThrowsAsync(gone(hostNameAddressKey("fresh", "10.41.0.1/24")));
});

test.serial("an interface that goes down is withdrawn, and comes back", async (t) => {
  await addPair("blink");
  await obtained(hostNameKey("blink"));
  await run(["ip", "link", "set", "dev", "blink", "down"]);
  await t.notThrowsAsync(gone(hostNameKey("blink")));
  await run(["ip", "link", "set", "dev", "blink", "up"]);
  await t.notThrowsAsync(obtained(hostNameKey("blink")));
});

test.serial("a renamed interface goes under its old name and comes under its new one", async (t) => {
  await addPair("before");
  await obtained(hostNameKey("before"));
  await run(["ip", "link", "set", "dev", "before", "name", "after"]);
  await t.notThrowsAsync(obtained(hostNameKey("after")));
  t.is(state(hostNameKey("before")), "NONEXISTENT");
});

test.serial("an interface that is removed, or moved away, is withdrawn with its addresses", async (t) => {
  await addPair("removed");
  await addPair("moved");
  await run(["ip", "address", "add", "10.42.0.1/24", "dev", "removed"]);
  await obtained(hostNameAddressKey("removed", "10.42.0.1/24"));
  await obtained(hostNameKey("moved"));
  await run(["ip", "netns", "add", "away"]);
  await run(["ip", "link", "set", "dev", "moved", "netns", "away"]);
  await run(["ip", "link", "delete", "removed"]);
  await t.notThrowsAsync(gone(hostNameKey("moved")));
  await t.notThrowsAsync(gone(hostNameKey("removed")));
  await t.notThrowsAsync(gone(hostNameAddressKey("removed", "10.42.0.1/24")));
});

test.serial("an interface that is gone before it settled is never announced", async (t) => {
  const told: string[] = [];
  // Longer than a machine in need takes to tell what one call of ip did.
  const links = new SettledLinks(1_000, { link: (name) => told.push(name), address: () => undefined });
  const watched = new WatchedNamespace(agent.agent.get(Netlink).default, [links], () => undefined);
  t.teardown(() => watched.close());
  await watched.start();
  const commands = ["link add hasty up type bridge", "link delete hasty", "link add patient up type bridge"];
  await run(["sh", "-c", `printf '%s\\n' "$0" | ip -batch -`, commands.join("\n")]);
  await eventually(() => told.includes("patient"));
  t.false(told.includes("hasty"));
});

test.serial("a resync finds the same interfaces that were announced", async (t) => {
  const announced = () =>
    agent.scheduler
      .statuses(HOST_NAME_PREFIX)
      .map(({ key }) => key)
      .filter((key) => !key.includes("/address/"))
      .sort();
  const usable = async () =>
    (await links())
      .filter(({ operstate }) => operstate !== "DOWN" && operstate !== "NOTPRESENT")
      .map(({ ifname }) => hostNameKey(ifname))
      .sort();
  const isTrue = async () => isDeepStrictEqual(announced(), await usable());
  await eventually(isTrue);
  await agent.resync();
  await t.notThrowsAsync(eventually(isTrue));
});
