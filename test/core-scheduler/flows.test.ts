import test from "ava";
import { HOST_LINK, Network } from "./network.js";

// The nine control flows of the guide (seed document "Control flows"), in its order and with its names.

test("AF-Packet interface: it waits for a host link that somebody else makes", async (t) => {
  const network = new Network();
  const afPacket = { type: "af-packet", host_if_name: "eth1" };

  const asked = await network.commit({ "interface/my-afpacket": afPacket });
  t.like(asked.values[0], { state: "PENDING", details: ["host link eth1"] });
  t.deepEqual(network.took(), [], "nothing is done below");

  await network.hostLinkAppears("eth1");
  t.deepEqual(network.took(), ["create interface/my-afpacket"]);
  t.is(network.state("interface/my-afpacket"), "CONFIGURED");
  t.is(network.state(`${HOST_LINK}eth1`), "OBTAINED");

  const resync = await network.scheduler.resyncDownstream();
  t.deepEqual(resync.planned, [], "an obtained value is not removed by a resync");
  network.took();

  await network.hostLinkGoes("eth1");
  t.deepEqual(network.took(), ["delete interface/my-afpacket"]);
  t.is(network.state("interface/my-afpacket"), "PENDING");
});

test("bridge domain: it is there at once, and each port joins when its interface comes", async (t) => {
  const network = new Network();

  const asked = await network.commit({
    "interface/my-tap": { type: "tap" },
    "bridge-domain/my-bd": { interfaces: ["my-tap", "my-loopback"] },
  });
  t.deepEqual(network.took(), ["create interface/my-tap", "create bridge-domain/my-bd", "create bridged/my-bd/my-tap"]);
  t.is(network.state("bridge-domain/my-bd"), "CONFIGURED");
  t.like(asked.values[1]?.derived, [
    { key: "bridged/my-bd/my-tap", state: "CONFIGURED" },
    { key: "bridged/my-bd/my-loopback", state: "PENDING", details: ["interface my-loopback"] },
  ]);

  await network.commit({ "interface/my-loopback": { type: "loopback" } });
  t.deepEqual(network.took(), ["create interface/my-loopback", "create bridged/my-bd/my-loopback"]);

  await network.commit({ "interface/my-tap": undefined });
  t.deepEqual(network.took(), ["delete bridged/my-bd/my-tap", "delete interface/my-tap"], "the rest is left alone");
  t.is(network.state("bridge-domain/my-bd"), "CONFIGURED");
  t.is(network.state("bridged/my-bd/my-tap"), "PENDING");
});

test("interface re-creation: a route on the interface is put aside and brought back", async (t) => {
  const network = new Network();
  await network.commit({
    "interface/my-tap": { type: "tap", rx_ring_size: 256 },
    "route/my-route": { interface: "my-tap" },
  });
  network.took();

  const changed = await network.commit({ "interface/my-tap": { type: "tap", rx_ring_size: 512 } });
  t.deepEqual(network.took(), [
    "delete route/my-route",
    "delete interface/my-tap",
    "create interface/my-tap",
    "create route/my-route",
  ]);
  t.deepEqual(
    changed.executed.map(({ operation, key, state, recreate }) => ({ operation, key, state, recreate })),
    [
      { operation: "DELETE", key: "route/my-route", state: "PENDING", recreate: true },
      { operation: "DELETE", key: "interface/my-tap", state: "PENDING", recreate: true },
      { operation: "CREATE", key: "interface/my-tap", state: "CONFIGURED", recreate: true },
      { operation: "CREATE", key: "route/my-route", state: "CONFIGURED", recreate: true },
    ],
  );

  await network.commit({ "interface/my-tap": { type: "tap", rx_ring_size: 512, mtu: 9000 } });
  t.deepEqual(network.took(), ["update interface/my-tap"], "a change that can be made in place is");
});

test("retry of a failed operation: what it left is read back, and it is tried again", async (t) => {
  const network = new Network({ retry: { period: 1_000, maxCount: 3, exponentialBackoff: true } });
  network.breakDown("create interface/my-tap");

  const failed = await network.commit({ "interface/my-tap": { type: "tap" } });
  t.deepEqual(network.took(), ["create interface/my-tap", "retrieve interface/my-tap"]);
  t.like(failed.values[0], { state: "RETRYING", error: "create interface/my-tap broke down" });

  await network.pass(999);
  t.deepEqual(network.took(), [], "not before its time");
  await network.pass(1);
  t.deepEqual(network.took(), ["create interface/my-tap"]);
  t.is(network.state("interface/my-tap"), "CONFIGURED");
  t.is(network.scheduler.history().at(-1)?.kind, "retry");
});

test("retry of a failed operation: one that took effect all the same is not repeated", async (t) => {
  const network = new Network();
  network.breakDown("create interface/my-tap", { takesEffect: true });

  await network.commit({ "interface/my-tap": { type: "tap" } });
  t.deepEqual(network.took(), ["create interface/my-tap", "retrieve interface/my-tap"]);
  await network.pass(60_000);
  t.deepEqual(network.took(), [], "reading back has found it");
  t.is(network.state("interface/my-tap"), "CONFIGURED");
});

test("transaction revert: what was applied before the failure is undone, and the error is returned", async (t) => {
  const network = new Network();
  network.breakDown("create route/my-route");

  const reverted = await network.commit(
    { "interface/my-tap": { type: "tap" }, "route/my-route": { interface: "my-tap" } },
    { atomic: true },
  );
  t.deepEqual(network.took(), [
    "create interface/my-tap",
    "create route/my-route",
    "retrieve route/my-route",
    "delete interface/my-tap",
  ]);
  t.true(reverted.reverted);
  t.is(reverted.error, "route/my-route: create route/my-route broke down");
  t.deepEqual(
    reverted.executed.map(({ operation, key, error }) => `${operation} ${key} ${error}`.trim()),
    ["CREATE interface/my-tap", "CREATE route/my-route create route/my-route broke down", "DELETE interface/my-tap"],
  );
  t.is(network.below.size, 0);
  t.is(network.state("interface/my-tap"), "NONEXISTENT");
  await network.pass(60_000);
  t.deepEqual(network.took(), [], "nothing is retried");
});

test("transaction revert: a route that was there half is taken away too", async (t) => {
  const network = new Network();
  network.breakDown("create route/my-route", { takesEffect: true });
  await network.commit(
    { "interface/my-tap": { type: "tap" }, "route/my-route": { interface: "my-tap" } },
    { atomic: true },
  );
  t.deepEqual(network.took().slice(-2), ["delete route/my-route", "delete interface/my-tap"]);
  t.is(network.below.size, 0);
});

test("a value that had failed before, and is tried again beside an atomic transaction, neither reverts it nor counts against it", async (t) => {
  const network = new Network();
  const route = { "route/old": { interface: "my-tap" } };
  network.breakDown("create route/old", { times: 3 });
  await network.commit(route);
  await network.commit({ "interface/my-tap": { type: "tap" } });
  t.is(network.state("route/old"), "RETRYING");

  // The interface is made anew, which has the route looked at again.
  const atomic = await network.commit({ "interface/my-tap": { type: "veth" } }, { atomic: true });
  t.false(atomic.reverted);
  t.is(atomic.error, "");
  t.deepEqual(
    atomic.values.map(({ state }) => state),
    ["CONFIGURED"],
  );
  t.deepEqual(
    atomic.executed.filter(({ error }) => error !== "").map(({ key, state }) => [key, state]),
    [["route/old", "RETRYING"]],
  );
  t.deepEqual(network.below.get("interface/my-tap"), { type: "veth" });

  const named = await network.commit({ "interface/my-tap": { type: "tap" }, ...route }, { atomic: true });
  t.true(named.reverted, "one that the transaction names counts");
  t.is(named.error, "route/old: create route/old broke down");
  await network.pass(60_000);
  t.is(network.state("route/old"), "CONFIGURED");
});

test("unnumbered interface: it borrows an address when there is any, and gives it back before the last one goes", async (t) => {
  const network = new Network();
  const donor = (...addresses: string[]) => ({ type: "loopback", ip_addresses: addresses });

  await network.commit({
    "interface/dependent": { type: "tap", unnumbered: "donor" },
    "interface/donor": donor(),
  });
  t.is(network.state("interface/dependent"), "CONFIGURED", "it works in L2 mode");
  t.is(network.state("unnumbered/dependent"), "PENDING");
  network.took();

  await network.commit({ "interface/donor": donor("10.0.0.1/24") });
  t.deepEqual(network.took().slice(-2), ["create interface-address/donor/10.0.0.1/24", "create unnumbered/dependent"]);

  await network.commit({ "interface/donor": donor("10.0.0.2/24", "10.0.0.3/24") });
  t.true(network.below.has("unnumbered/dependent"), "any address will do");
  network.took();

  await network.commit({ "interface/donor": donor() });
  const removals = network.took().filter((call) => call.startsWith("delete"));
  t.is(removals.length, 3);
  t.not(removals.at(-1), "delete unnumbered/dependent", "the last address stays until it was given back");
  t.is(network.state("interface/dependent"), "CONFIGURED");
  t.is(network.state("unnumbered/dependent"), "PENDING");
});

test("creation from a key-value store: the first snapshot is a full resync, then changes follow", async (t) => {
  const network = new Network();
  network.below.set("interface/left-behind", { type: "tap" });

  const spec = { kind: "full-resync", orphans: "remove" } as const;
  const snapshot = await network.commit({ "interface/my-tap": { type: "tap" } }, spec);
  t.deepEqual(network.took(), [
    "retrieve interface/",
    "retrieve bridge-domain/",
    "retrieve route/",
    `retrieve ${HOST_LINK}`,
    "delete interface/left-behind",
    "create interface/my-tap",
  ]);
  t.is(snapshot.kind, "full-resync");
  t.deepEqual(network.interfaces.get("interface/my-tap"), { index: 1 }, "its metadata can be looked up");
  t.deepEqual(network.interfaces.lookup("index", "1"), ["interface/my-tap"]);

  await network.commit({ "interface/my-tap": undefined });
  t.deepEqual(network.took(), ["delete interface/my-tap"]);
  t.is(network.interfaces.size, 0);
});

test("creation by request: whoever asked is told the error, and so is who asked for something invalid", async (t) => {
  const network = new Network();
  network.breakDown("create interface/my-tap");
  const failed = await network.commit({ "interface/my-tap": { type: "tap" } }, { retry: false });
  t.is(failed.error, "interface/my-tap: create interface/my-tap broke down");
  t.like(failed.values[0], { state: "FAILED", lastOperation: "CREATE" });

  const invalid = await network.commit({ "interface/my-tap": { type: "tap", mtu: 1 } });
  t.like(invalid.values[0], { state: "INVALID", details: ["mtu: is 1, expected at least 68"] });
});

test("route waiting for its interface: it comes first, and waits", async (t) => {
  const network = new Network();
  const asked = await network.commit({ "route/my-route": { interface: "my-tap" } });
  t.like(asked.values[0], { state: "PENDING", details: ["interface my-tap"], lastOperation: "UNDEFINED" });
  t.deepEqual(asked.executed, []);

  const came = await network.commit({ "interface/my-tap": { type: "tap" } });
  t.deepEqual(network.took(), ["create interface/my-tap", "create route/my-route"]);
  t.deepEqual(
    came.executed.map(({ key, state }) => [key, state]),
    [
      ["interface/my-tap", "CONFIGURED"],
      ["route/my-route", "CONFIGURED"],
    ],
  );
});
