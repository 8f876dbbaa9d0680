import test from "ava";
import type { NetlinkEvent } from "#plugins/netlink/index.js";
import { eventually } from "#test/support/eventually.js";
import { run } from "#test/support/sandbox.js";
import { addPair, openNamespace, openNetlink } from "./support.js";

/** What an event is about, in a word or two. */
function summary(event: NetlinkEvent): string {
  switch (event.type) {
    case "link":
      return `${event.deleted ? "-" : "+"}link ${event.link.name}`;
    case "netconf":
      return `${event.deleted ? "-" : "+"}netconf ${event.linkIndex}`;
    case "address":
      return `${event.deleted ? "-" : "+"}address ${event.address.address}`;
    case "route":
      return `${event.deleted ? "-" : "+"}route ${event.route.destination}`;
    case "neighbour":
      return `${event.deleted ? "-" : "+"}neighbour ${event.neighbour.address}`;
    case "forwarding":
      return `${event.deleted ? "-" : "+"}forwarding ${event.entry.linkAddress}`;
    case "rule":
      return `${event.deleted ? "-" : "+"}rule ${event.rule.priority}`;
    case "bridge-member":
      return `${event.deleted ? "-" : "+"}member ${event.member.linkIndex}`;
    case "lost":
    case "closed":
      return event.type;
  }
}

test("what others do in a namespace is reported to the listeners of that namespace, in order", async (t) => {
  const netlink = await openNetlink(t);
  const watched = await openNamespace(t, netlink, "watched");
  const quiet = await openNamespace(t, netlink, "quiet");
  const { index } = await addPair(watched, "eth");
  const seen: NetlinkEvent[] = [];
  const elsewhere: NetlinkEvent[] = [];
  await watched.subscribe(["link", "address", "route", "neighbour"], (event) => seen.push(event));
  await quiet.subscribe(["link", "address", "route", "neighbour"], (event) => elsewhere.push(event));
  const options = { namespace: "watched" };
  await run(["ip", "address", "add", "10.0.0.1/24", "dev", "eth"], options);
  await run(["ip", "route", "add", "10.9.0.0/16", "via", "10.0.0.2"], options);
  await run(["ip", "neighbour", "add", "10.0.0.9", "lladdr", "02:00:00:00:00:09", "dev", "eth"], options);
  await run(["ip", "route", "del", "10.9.0.0/16"], options);
  await run(["ip", "address", "del", "10.0.0.1/24", "dev", "eth"], options);
  await run(["ip", "link", "add", "name", "br0", "type", "bridge"], options);
  await run(["ip", "link", "set", "eth", "master", "br0"], options);
  await run(["ip", "link", "del", "br0"], options);
  const summaries = await eventually(() => {
    const all = seen.map(summary);
    return all.includes("-link br0") && all;
  });
  const desired = [
    "+address 10.0.0.1/24",
    "+route 10.9.0.0/16",
    "+neighbour 10.0.0.9",
    "-route 10.9.0.0/16",
    "-address 10.0.0.1/24",
    "+link br0",
    "-link br0",
  ];
  t.deepEqual([...new Set(summaries.filter((each) => desired.includes(each)))], desired);
  t.false(summaries.includes("-link eth"), "a port that leaves its bridge is not a link that goes");
  t.true(seen.some((event) => event.type === "link" && event.link.index === index && event.link.master !== undefined));
  t.deepEqual(elsewhere, []);
});

test("a listener hears only the groups it asked for, and nothing after it stopped", async (t) => {
  const netlink = await openNetlink(t);
  const namespace = await openNamespace(t, netlink, "groups");
  const { index: linkIndex } = await addPair(namespace, "eth");
  const addresses: string[] = [];
  const routes: string[] = [];
  const stop = await namespace.subscribe(["address"], (event) => addresses.push(summary(event)));
  await namespace.subscribe(["route"], (event) => routes.push(summary(event)));
  await namespace.addrAdd({ linkIndex, address: "10.0.0.1/24" });
  await eventually(() => addresses.length > 0 && routes.includes("+route 10.0.0.0/24"));
  t.deepEqual(addresses, ["+address 10.0.0.1/24"]);
  stop();
  await namespace.addrAdd({ linkIndex, address: "10.0.1.1/24" });
  await eventually(() => routes.includes("+route 10.0.1.0/24"));
  t.deepEqual(addresses, ["+address 10.0.0.1/24"]);
});

test("events that were lost are reported as lost when the rest has been told, and later ones arrive", async (t) => {
  const netlink = await openNetlink(t, { eventBufferBytes: 64 * 1024 });
  const namespace = await openNamespace(t, netlink, "overflow");
  const { index: linkIndex } = await addPair(namespace, "eth");
  const seen: string[] = [];
  // The kernel adds IPv6 routes of its own when it sees the carrier.
  await namespace.subscribe(["route"], (event) => {
    if (event.type !== "route" || event.route.destination.startsWith("10.")) seen.push(summary(event));
  });
  // One send: the worker cannot read events before all of it is done.
  const routes = Array.from({ length: 500 }, (_, i) => ({
    destination: `10.1.${i >> 2}.${(i & 3) * 64}/26`,
    linkIndex,
  }));
  await Promise.all(routes.map((route) => namespace.routeAdd(route)));
  await eventually(() => seen.includes("lost"));
  await namespace.routeAdd({ destination: "10.2.0.0/16", linkIndex });
  await eventually(() => seen.includes("+route 10.2.0.0/16"));
  t.true(seen.length < 500);
  t.deepEqual(seen.slice(seen.indexOf("lost")), ["lost", "+route 10.2.0.0/16"]);
});

test("a listener is told when its handle closes", async (t) => {
  const netlink = await openNetlink(t);
  await netlink.createNamed("closing");
  const kept = await netlink.open({ kind: "named", name: "closing" });
  const closed = await netlink.open({ kind: "named", name: "closing" });
  const heard: string[] = [];
  await closed.subscribe(["link"], (event) => heard.push(`closed: ${summary(event)}`));
  await kept.subscribe(["link"], (event) => heard.push(`kept: ${summary(event)}`));
  closed.close();
  t.deepEqual(heard, ["closed: closed"]);
  await netlink.close();
  t.deepEqual(heard, ["closed: closed", "kept: closed"]);
});

test("what the client itself does to routes can be left out, as long as nobody else asks for it", async (t) => {
  const netlink = await openNetlink(t);
  const handle = await openNamespace(t, netlink, "own-routes");
  const { index } = await addPair(handle, "eth");
  await handle.addrAdd({ linkIndex: index, address: "10.0.0.1/24" });
  const route = (destination: string) => ({ destination, gateway: "10.0.0.2", linkIndex: index });
  const others: string[] = [];
  const all: string[] = [];
  const unsubscribe = await handle.subscribe(["route"], (event) => all.push(summary(event)));
  await handle.subscribe(["link", "route"], (event) => others.push(summary(event)), { ownRoutes: false });
  await handle.routeAdd(route("10.1.0.0/16"));
  await eventually(() => all.includes("+route 10.1.0.0/16"));
  t.true(others.includes("+route 10.1.0.0/16"), "both share a socket");
  unsubscribe();
  await handle.routeAdd(route("10.2.0.0/16"));
  await handle.routeDel(route("10.2.0.0/16"));
  await handle.linkSet({ index, mtu: 1400 });
  await run(["ip", "route", "add", "10.3.0.0/16", "via", "10.0.0.2"], { namespace: "own-routes" });
  await eventually(() => others.includes("+route 10.3.0.0/16"));
  t.deepEqual(
    others.filter((each) => each.endsWith("10.2.0.0/16")),
    [],
  );
  t.true(others.includes("+link eth"));
});
