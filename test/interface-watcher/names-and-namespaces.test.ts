import test from "ava";
import { SettledLinks } from "#plugins/interface-watcher/settled-links.js";
import { WatchedNamespace } from "#plugins/interface-watcher/watched-namespace.js";
import { Netlink } from "#plugins/netlink/index.js";
import {
  hostNameAddressKey,
  hostNameKey,
  hostPresentKey,
  interfaceKey,
  namespaceHostNameKey,
  namespaceHostPresentKey,
} from "#proto/index.js";
import { dropInterface, NetworkAgent, wantInterface } from "#test/linux/support/network.js";
import { eventually } from "#test/support/eventually.js";
import { ip, run } from "#test/support/sandbox.js";

/** Links with several names, indexes that are used again, other namespaces, and events that the kernel dropped. */

let agent: NetworkAgent;
/** Keys of the values that were told, in order; with `-` those that went. */
const told: string[] = [];

test.before(async () => {
  await run(["ip", "netns", "add", "there"]);
  await run(["ip", "link", "add", "inside", "up", "type", "bridge"], { namespace: "there" });
  agent = await NetworkAgent.start("names", {
    netlink: { event_buffer_bytes: 4096 },
    "interface-watcher": { settle_delay: "100ms", namespaces: ["there", "later"] },
  });
  await agent.resync();
  agent.scheduler.watchStatus((statuses) => {
    for (const { key, state } of statuses) told.push(state === "OBTAINED" ? key : `-${key}`);
  });
});
test.after.always(() => agent.close());

const isObtained = (key: string): boolean => agent.status(key).state === "OBTAINED";
const obtained = (key: string) => eventually(() => isObtained(key), { what: `${key} to be obtained` });
const gone = (key: string) => eventually(() => !isObtained(key), { what: `${key} to go` });

test.serial("a link is announced under its alternative names too, for as long as it has them", async (t) => {
  await run(["ip", "link", "add", "short", "up", "type", "bridge"]);
  await run(["ip", "address", "add", "10.43.0.1/24", "dev", "short"]);
  await obtained(hostNameAddressKey("short", "10.43.0.1/24"));
  await run(["ip", "link", "property", "add", "dev", "short", "altname", "a-much-longer-name"]);
  await obtained(hostNameAddressKey("a-much-longer-name", "10.43.0.1/24"));
  await run(["ip", "link", "set", "dev", "short", "name", "brief"]);
  await obtained(hostNameKey("brief"));
  t.false(isObtained(hostNameKey("short")));
  await obtained(hostNameKey("a-much-longer-name"));
  await run(["ip", "link", "property", "del", "dev", "brief", "altname", "a-much-longer-name"]);
  await gone(hostNameKey("a-much-longer-name"));
  t.true(isObtained(hostNameKey("brief")));
  t.true(isObtained(hostNameAddressKey("brief", "10.43.0.1/24")));
});

test.serial("an interface that is configured by an alternative name comes with that name", async (t) => {
  const key = interfaceKey("uplink");
  await agent.commit(
    wantInterface({ name: "uplink", type: "EXISTING", host_if_name: "alt-up", enabled: true, mtu: 1400 }),
  );
  t.is(agent.status(key).state, "PENDING");
  await run(["ip", "link", "add", "card0", "type", "bridge"]);
  await run(["ip", "link", "set", "dev", "card0", "up"]);
  await run(["ip", "link", "property", "add", "dev", "card0", "altname", "alt-up"]);
  await eventually(() => agent.status(key).state === "CONFIGURED");
  t.like((await ip("link", "show", "card0"))[0], { mtu: 1400 });
  t.deepEqual((await agent.scheduler.resyncDownstream()).executed, []);
  await agent.commit(dropInterface("uplink"));
});

test.serial("an index that is used again at once is another interface", async (t) => {
  await run(["ip", "link", "add", "former", "index", "777", "up", "type", "bridge"]);
  await run(["ip", "address", "add", "10.44.0.1/24", "dev", "former"]);
  await obtained(hostNameAddressKey("former", "10.44.0.1/24"));
  const since = told.length;
  const commands = ["link delete former", "link add latter index 777 up type bridge", "link add former up type bridge"];
  await run(["sh", "-c", `printf '%s\\n' "$0" | ip -batch -`, commands.join("\n")]);
  await obtained(hostNameKey("latter"));
  await obtained(hostNameKey("former"));
  await gone(hostNameAddressKey("former", "10.44.0.1/24"));
  t.false(isObtained(hostNameAddressKey("latter", "10.44.0.1/24")));
  t.true(told.slice(since).includes(`-${hostNameKey("former")}`));
});

test.serial("changes within the settle delay are folded into one announcement", async (t) => {
  const since = told.length;
  const commands = ["link add busy up type bridge", "link set dev busy mtu 1400", "link set dev busy mtu 1300"];
  await run(["sh", "-c", `printf '%s\\n' "$0" | ip -batch -`, commands.join("\n")]);
  await obtained(hostNameKey("busy"));
  t.deepEqual(
    told.slice(since).filter((key) => key.endsWith(hostNameKey("busy"))),
    [hostNameKey("busy")],
  );
});

test.serial("interfaces of a namespace that the configuration names are announced, while it is there", async (t) => {
  t.true(isObtained(namespaceHostNameKey("there", "inside")));
  await run(["ip", "address", "add", "10.45.0.1/24", "dev", "inside"], { namespace: "there" });
  await obtained(namespaceHostNameKey("there", "inside", "10.45.0.1/24"));
  await run(["ip", "netns", "add", "later"]);
  await run(["ip", "link", "add", "newcomer", "up", "type", "bridge"], { namespace: "later" });
  await obtained(namespaceHostNameKey("later", "newcomer"));
  await agent.resync();
  t.true(isObtained(namespaceHostNameKey("later", "newcomer")));
  await run(["ip", "netns", "delete", "later"]);
  await gone(namespaceHostNameKey("later", "newcomer"));
  t.false(isObtained(hostNameKey("newcomer")));
  // A link that moves is gone here and comes there.
  await run(["ip", "link", "add", "mover", "up", "type", "bridge"]);
  await obtained(hostNameKey("mover"));
  await run(["ip", "link", "add", "wanderer", "type", "veth", "peer", "name", "wanderer-peer"]);
  await obtained(hostPresentKey("wanderer"));
  await run(["ip", "link", "set", "dev", "wanderer", "netns", "there"]);
  await run(["ip", "link", "set", "dev", "wanderer-peer", "up"]);
  await run(["ip", "link", "set", "dev", "wanderer", "up"], { namespace: "there" });
  await obtained(namespaceHostNameKey("there", "wanderer"));
  t.false(isObtained(hostPresentKey("wanderer")));
});

test.serial("a namespace that takes the place of another of its name is another one", async (t) => {
  const key = (name: string): string => namespaceHostNameKey("later", name);
  for (const [name, inside] of [
    ["later", "old"],
    ["spare", "new"],
  ] as const) {
    await run(["ip", "netns", "add", name]);
    await run(["ip", "link", "add", inside, "up", "type", "bridge"], { namespace: name });
    await run(["ip", "link", "add", "both", "up", "type", "bridge"], { namespace: name });
  }
  await run(["ip", "address", "add", "10.47.0.1/24", "dev", "both"], { namespace: "later" });
  await obtained(key("old"));
  await obtained(namespaceHostNameKey("later", "both", "10.47.0.1/24"));
  // Mounted over: there is no moment without a namespace under that name.
  await run(["mount", "--bind", "/run/netns/spare", "/run/netns/later"]);
  await obtained(key("new"));
  await obtained(key("both"));
  t.false(isObtained(key("old")));
  t.false(isObtained(namespaceHostNameKey("later", "both", "10.47.0.1/24")));
  await agent.resync();
  t.true(isObtained(key("new")) && !isObtained(key("old")));
  // What goes on in the old one is nobody's business any more, in the new one it is.
  await run(["ip", "link", "add", "newer", "up", "type", "bridge"], { namespace: "spare" });
  await obtained(key("newer"));
  await run(["umount", "--lazy", "/run/netns/later"]);
  await obtained(key("old"));
  t.false(isObtained(key("new")));
  await run(["sh", "-c", "ip netns delete later && ip netns add later && ip -n later link add last up type bridge"]);
  await obtained(key("last"));
  t.false(isObtained(key("old")));
  await run(["ip", "netns", "delete", "later"]);
  await gone(key("last"));
});

test.serial("an interface that is down is present in its namespace all the same", async (t) => {
  await run(["ip", "link", "add", "asleep", "type", "bridge"], { namespace: "there" });
  await obtained(namespaceHostPresentKey("there", "asleep"));
  t.false(isObtained(namespaceHostNameKey("there", "asleep")));
  await agent.resync();
  t.true(isObtained(namespaceHostPresentKey("there", "asleep")));
  await run(["ip", "link", "delete", "asleep"], { namespace: "there" });
  await gone(namespaceHostPresentKey("there", "asleep"));
});

test.serial("events that the kernel dropped are made up for", async (t) => {
  await run(["ip", "link", "add", "drowned", "up", "type", "bridge"]);
  await run(["ip", "link", "add", "noisy", "up", "type", "bridge"]);
  await obtained(hostNameKey("drowned"));
  const noise = Array.from({ length: 2000 }, (_, i) => `link set dev noisy mtu ${1300 + (i % 100)}`);
  const commands = [
    ...noise,
    "link delete drowned",
    "link add surfaced up type bridge",
    "address add 10.46.0.1/24 dev noisy",
    ...noise,
  ];
  await run(["sh", "-c", `ip -batch - <<'END'\n${commands.join("\n")}\nEND`]);
  await gone(hostNameKey("drowned"));
  await gone(hostPresentKey("drowned"));
  await obtained(hostNameKey("surfaced"));
  await t.notThrowsAsync(obtained(hostNameAddressKey("noisy", "10.46.0.1/24")));
});

test.serial("who asks what there is while that is read waits until it is known", async (t) => {
  const told: string[] = [];
  const links = new SettledLinks(60_000, { link: (name) => told.push(name), address: () => undefined }, () => true);
  const watched = new WatchedNamespace(agent.agent.get(Netlink).default, [links], () => undefined);
  t.teardown(() => watched.close());
  const started = watched.start();
  t.deepEqual([...links.announced()], []);
  await watched.inSync;
  const there = (await ip<{ ifname: string }>("link", "show")).map(({ ifname }) => ifname);
  t.true(there.every((name) => told.includes(name)));
  await started;
});
