import test from "ava";
import { interfaceKey } from "#proto/index.js";
import { addressesOf, link, run } from "#test/support/sandbox.js";
import { carries, dropInterface, NetworkAgent, operations, states, wantInterface } from "./support/network.js";
import { agrees } from "./support/witness.js";

/** Host name of the far end, in the namespace `far`. */
const FAR = { namespace: { type: "NSID", reference: "far" }, host_if_name: "eth0" } as const;
const FAR_PLACE = { namespace: "far" };

const near = {
  name: "near",
  type: "VETH",
  enabled: true,
  ip_addresses: ["10.11.0.1/24", "2001:DB8:11::1/64"],
  phys_address: "02:00:00:00:11:01",
  mtu: 1400,
  veth: { peer_if_name: "far" },
} as const;

const far = {
  ...FAR,
  name: "far",
  type: "VETH",
  enabled: true,
  ip_addresses: ["10.11.0.2/24", "2001:db8:11::2/64"],
  phys_address: "02:00:00:00:11:02",
  mtu: 1400,
  veth: { peer_if_name: "near" },
} as const;

const NEAR_KEY = interfaceKey("near");
const FAR_KEY = interfaceKey("far");

let agent: NetworkAgent;
test.beforeEach(async () => {
  agent = await NetworkAgent.start("veth");
});
test.afterEach((t) => agrees(t, agent));
test.afterEach.always(async () => {
  await agent.resync();
  await agent.close();
});

test.serial("a pair across namespaces has the names, addresses, MTU and MAC it was given", async (t) => {
  const record = await agent.commit(wantInterface(near), wantInterface(far));
  t.deepEqual(states(record), { [NEAR_KEY]: "CONFIGURED", [FAR_KEY]: "CONFIGURED" });
  const here = await link("near");
  const there = await link("eth0", FAR_PLACE);
  t.like(here, { mtu: 1400, address: "02:00:00:00:11:01", ifalias: "tenuto:veth:near" });
  t.like(there, { mtu: 1400, address: "02:00:00:00:11:02", ifalias: "tenuto:veth:far" });
  t.deepEqual(here && addressesOf(here), ["10.11.0.1/24", "2001:db8:11::1/64"]);
  t.deepEqual(there && addressesOf(there), ["10.11.0.2/24", "2001:db8:11::2/64"]);
});

test.serial("addresses can be used at once: none is tentative", async (t) => {
  await agent.commit(wantInterface(near), wantInterface(far));
  t.is(await run(["ip", "-6", "address", "show", "dev", "near", "scope", "global", "tentative"]), "");
  await t.notThrowsAsync(run(["ping", "-6", "-c1", "-W5", "2001:db8:11::2"]));
  await t.notThrowsAsync(run(["ping", "-c1", "-W5", "10.11.0.2"]));
});

for (const [first, second] of [
  [near, far],
  [far, near],
]) {
  if (first === undefined || second === undefined) continue;
  const waiting = `interface ${second.name} with ${first.name} as its peer`;

  test.serial(`${first.name} alone waits for ${second.name}, and both come up with it`, async (t) => {
    await agent.commit(wantInterface(first));
    t.like(agent.status(interfaceKey(first.name)), { state: "PENDING", details: [waiting] });
    t.is(await link("near"), undefined);
    const record = await agent.commit(wantInterface(second));
    t.is(record.error, "");
    t.is(agent.status(interfaceKey(first.name)).state, "CONFIGURED");
    t.true(carries(await link("near")));
    t.true(carries(await link("eth0", FAR_PLACE)));
  });

  test.serial(`without ${second.name} the pair goes, ${first.name} waits, and comes back with it`, async (t) => {
    await agent.commit(wantInterface(near), wantInterface(far));
    const record = await agent.commit(dropInterface(second.name));
    t.is(record.error, "");
    t.is(await link("near"), undefined);
    t.is(await link("eth0", FAR_PLACE).catch(() => undefined), undefined);
    t.like(agent.status(interfaceKey(first.name)), { state: "PENDING", details: [waiting] });
    await agent.commit(wantInterface(second));
    t.true(carries(await link("near")));
    const there = await link("eth0", FAR_PLACE);
    t.deepEqual(there && addressesOf(there), ["10.11.0.2/24", "2001:db8:11::2/64"]);
  });
}

const inPlace = {
  MTU: { mtu: 1300 },
  "MAC address": { phys_address: "02:00:00:00:11:0f" },
  "host name": { host_if_name: "renamed" },
  down: { enabled: false },
  addresses: { ip_addresses: ["10.11.0.2/24", "10.11.0.3/24", "2001:db8:11::3/64"] },
  namespace: { namespace: { type: "NSID", reference: "elsewhere" } },
  everything: {
    mtu: 1280,
    phys_address: "02:00:00:00:11:0e",
    host_if_name: "other",
    ip_addresses: ["192.0.2.1/32"],
    namespace: { type: "NSID", reference: "elsewhere" },
  },
} as const;

for (const [what, change] of Object.entries(inPlace)) {
  test.serial(`change in place: ${what}`, async (t) => {
    await agent.commit(wantInterface(near), wantInterface(far));
    const before = await link("near");
    const changed: typeof far = { ...far, ...(change as object) };
    const record = await agent.commit(wantInterface(changed));
    t.is(record.error, "");
    t.false(operations(record).some((each) => each === `DELETE ${FAR_KEY}` || each.endsWith(NEAR_KEY)));

    const there = await link(changed.host_if_name, { namespace: changed.namespace.reference });
    t.like(there, { mtu: changed.mtu, address: changed.phys_address, ifalias: "tenuto:veth:far" });
    t.is(there?.flags.includes("UP"), changed.enabled);
    t.deepEqual(there && addressesOf(there), [...changed.ip_addresses].sort());
    t.is((await link("near"))?.ifindex, before?.ifindex);
    t.deepEqual((await agent.resync(wantInterface(near), wantInterface(changed))).executed, []);
  });
}

test.serial("IPv6 addresses are there again after down and up", async (t) => {
  await agent.commit(wantInterface(near), wantInterface(far));
  await agent.commit(wantInterface({ ...near, enabled: false }));
  const down = await link("near");
  t.deepEqual(down && addressesOf(down), ["10.11.0.1/24", "2001:db8:11::1/64"]);
  await agent.commit(wantInterface(near));
  const up = await link("near");
  t.deepEqual(up && addressesOf(up), ["10.11.0.1/24", "2001:db8:11::1/64"]);
});

test.serial("the first address of a network goes without its companions", async (t) => {
  await agent.commit(wantInterface({ ...near, ip_addresses: ["10.11.0.1/24", "10.11.0.5/24"] }), wantInterface(far));
  await agent.commit(wantInterface({ ...near, ip_addresses: ["10.11.0.5/24"] }));
  const here = await link("near");
  t.deepEqual(here && addressesOf(here), ["10.11.0.5/24"]);
});

test.serial("an end that gets another peer leaves its pair", async (t) => {
  await agent.commit(wantInterface(near), wantInterface(far));
  const third = { name: "third", type: "VETH", enabled: true, veth: { peer_if_name: "near" } } as const;
  const record = await agent.commit(wantInterface({ ...near, veth: { peer_if_name: "third" } }), wantInterface(third));
  t.is(agent.status(NEAR_KEY).state, "CONFIGURED", record.error);
  t.is(agent.status(interfaceKey("third")).state, "CONFIGURED");
  t.like(await link("near"), { link: "third" });
});

test.serial("an end that loses its peer to another waits, with several addresses of one network too", async (t) => {
  const left = { ...far, ip_addresses: ["10.11.0.2/24", "10.11.0.3/24"] };
  await agent.commit(wantInterface(near), wantInterface(left));
  const third = { name: "third", type: "VETH", veth: { peer_if_name: "near" } } as const;
  const record = await agent.commit(wantInterface({ ...near, veth: { peer_if_name: "third" } }), wantInterface(third));
  t.is(record.error, "");
  t.is(agent.status(FAR_KEY).state, "PENDING");
  t.is((await agent.commit(wantInterface(near), dropInterface("third"))).error, "");
  const there = await link("eth0", FAR_PLACE);
  t.deepEqual(there && addressesOf(there), left.ip_addresses);
});

test.serial("two interfaces swap their host names in one transaction", async (t) => {
  await agent.commit(
    wantInterface({ ...near, host_if_name: "one" }),
    wantInterface({ ...far, namespace: {}, host_if_name: "two" }),
  );
  const record = await agent.commit(
    wantInterface({ ...near, host_if_name: "two" }),
    wantInterface({ ...far, namespace: {}, host_if_name: "one" }),
  );
  t.is(record.error, "");
  t.like(await link("two"), { address: near.phys_address, ifalias: "tenuto:veth:near" });
  t.like(await link("one"), { address: far.phys_address, ifalias: "tenuto:veth:far" });
});

test.serial("a move that the kernel refuses leaves the interface where it was", async (t) => {
  await agent.commit(wantInterface(near), wantInterface(far));
  const there = { type: "NSID", reference: "elsewhere" } as const;
  const record = await agent.commit(wantInterface({ ...far, namespace: there, mtu: 10, ip_addresses: [] }));
  t.regex(states(record)[FAR_KEY] ?? "", /FAILED: .*interface\/far: mtu: /);
  t.truthy(await link("eth0", FAR_PLACE));
  t.is((await agent.commit(wantInterface({ ...far, namespace: there }))).error, "");
  t.true(carries(await link("eth0", { namespace: "elsewhere" })));
});
