import { setImmediate as nextTurn } from "node:timers/promises";
import test from "ava";
import type { NamespaceHandle, Route } from "#plugins/netlink/index.js";
import { links } from "#test/support/sandbox.js";
import { addPair, linkNamed, openNamespace, openNetlink } from "./support.js";

/** Routes to as many destinations, all through the one link. */
function routesTo(count: number, linkIndex: number): readonly Route[] {
  return Array.from({ length: count }, (_, i) => ({ destination: `10.${i >> 8}.${i & 255}.0/24`, linkIndex }));
}

async function addRoutes(namespace: NamespaceHandle, routes: readonly Route[]): Promise<readonly string[]> {
  const results = await Promise.allSettled(routes.map((route) => namespace.routeAdd(route)));
  return results.map((result) => (result.status === "fulfilled" ? "ok" : result.reason.code));
}

const limits = [
  { title: "the default limits", options: {} },
  { title: "one message in a send", options: { batchMessages: 1 } },
  { title: "seven messages in a send", options: { batchMessages: 7 } },
  { title: "few bytes in a send", options: { batchBytes: 4096 } },
  { title: "the smallest receive buffer", options: { receiveBufferBytes: 8192 } },
];

for (const [i, { title, options }] of limits.entries()) {
  test(`1,000 requests in one turn each get their own result, refusals among them: ${title}`, async (t) => {
    const netlink = await openNetlink(t, options);
    const namespace = await openNamespace(t, netlink, `turn-${i}`);
    const { index } = await addPair(namespace, "eth");
    const routes = routesTo(1000, index);
    await Promise.all(routes.filter((_, n) => n % 3 === 0).map((route) => namespace.routeAdd(route)));
    const expected = routes.map((_, n) => (n % 3 === 0 ? "EEXIST" : "ok"));
    t.deepEqual(await addRoutes(namespace, routes), expected);
    t.is((await namespace.routeList({ family: "inet", table: 254 })).length, 1000);
    // Every one refused: the most that the answers can take.
    t.deepEqual(await addRoutes(namespace, routes), Array(1000).fill("EEXIST"));
  });
}

test("requests, queries and dumps of one turn are carried out in the order they were made", async (t) => {
  const netlink = await openNetlink(t);
  const namespace = await openNamespace(t, netlink, "order");
  const { index } = await addPair(namespace, "eth");
  const [first, second] = routesTo(2, index) as [Route, Route];
  const results = await Promise.all([
    namespace.routeAdd(first),
    namespace.routeList({ family: "inet", table: 254 }),
    namespace.routeAdd(second),
    namespace.routeDel(first),
    namespace.linkByIndex(index),
    namespace.routeList({ family: "inet", table: 254 }),
    namespace.linkByName("nobody"),
  ]);
  t.deepEqual(
    results[1].map(({ destination }) => destination),
    [first.destination],
  );
  t.like(results[4], { name: "eth" });
  t.deepEqual(
    results[5].map(({ destination }) => destination),
    [second.destination],
  );
  t.is(results[6], undefined);
});

test("requests of later turns that pile up behind a slow one keep their order and their results", async (t) => {
  const netlink = await openNetlink(t);
  const namespace = await openNamespace(t, netlink, "pile");
  await addPair(namespace, "slow");
  const { index } = await addPair(namespace, "eth");
  const [route] = routesTo(1, index) as [Route];
  // The kernel takes some 20 ms for it.
  const results: Promise<string>[] = [
    namespace.linkDel((await linkNamed(namespace, "slow")).index).then(() => "deleted"),
  ];
  for (let turn = 0; turn < 30; turn++) {
    await nextTurn();
    const request = turn % 3 === 2 ? namespace.routeDel(route) : namespace.routeAdd(route);
    results.push(
      request.then(
        () => "ok",
        (error) => error.code,
      ),
    );
  }
  const expected = Array.from({ length: 30 }, (_, turn) => (turn % 3 === 1 ? "EEXIST" : "ok"));
  t.deepEqual(await Promise.all(results), ["deleted", ...expected]);
});

test("a dump of many datagrams is complete", async (t) => {
  const netlink = await openNetlink(t);
  const namespace = await openNamespace(t, netlink, "large-dump");
  const { index } = await addPair(namespace, "eth");
  const routes = routesTo(20_000, index);
  t.true((await addRoutes(namespace, routes)).every((result) => result === "ok"));
  const listed = await namespace.routeList({ family: "inet", table: 254 });
  t.deepEqual(
    new Set(listed.map(({ destination }) => destination)),
    new Set(routes.map(({ destination }) => destination)),
  );
});

test("a thousand links can be asked for in one turn", async (t) => {
  const netlink = await openNetlink(t, { receiveBufferBytes: 8192 });
  const namespace = await openNamespace(t, netlink, "queries");
  const { index } = await addPair(namespace, "eth");
  const found = await Promise.all(Array.from({ length: 1000 }, (_, i) => namespace.linkByIndex(i % 2 ? index : 4242)));
  t.true(found.every((link, i) => (i % 2 ? link?.name === "eth" : link === undefined)));
});

test("links deleted together: both ends of a pair succeed, unmanaged stay, what is not there is refused", async (t) => {
  const netlink = await openNetlink(t);
  const namespace = await openNamespace(t, netlink, "deletions");
  const other = await openNamespace(t, netlink, "deletions-far");
  const names = Array.from({ length: 40 }, (_, i) => `eth${i}`);
  await Promise.all([
    ...names.map((name) => namespace.linkAdd({ name, kind: "veth", peer: { name: `${name}p` } })),
    namespace.linkAdd({ name: "far", kind: "veth", peer: { name: "far-peer", namespace: other } }),
    namespace.linkAdd({ name: "stays", kind: "bridge", group: 7 }),
  ]);
  const doomed = (await namespace.linkList()).filter(({ kind }) => kind === "veth");
  t.is(doomed.length, 81);
  const results = await Promise.allSettled([
    ...doomed.map(({ index }) => namespace.linkDel(index)),
    namespace.linkDel(4242),
  ]);
  t.true(results.slice(0, -1).every(({ status }) => status === "fulfilled"));
  t.like(results.at(-1), { status: "rejected", reason: { code: "ENODEV" } });
  t.deepEqual(
    (await links({ namespace: "deletions" })).map(({ ifname }) => ifname),
    ["lo", "stays"],
  );
  t.like(await linkNamed(namespace, "stays"), { group: 7 });
  t.is(await other.linkByName("far-peer"), undefined);
});

test("where a group cannot be deleted, the links of the turn are deleted one by one", async (t) => {
  const netlink = await openNetlink(t);
  const namespace = await openNamespace(t, netlink, "undeletable");
  await addPair(namespace, "eth");
  const ends = await Promise.all(["eth", "eth-peer", "lo"].map((name) => linkNamed(namespace, name)));
  // The kernel refuses to delete a group that loopback is in.
  const results = await Promise.allSettled(ends.map(({ index }) => namespace.linkDel(index)));
  t.deepEqual(
    results.map(({ status }) => status),
    ["fulfilled", "fulfilled", "rejected"],
  );
  t.like(results[2], { reason: { code: "EOPNOTSUPP" } });
  t.is(await namespace.linkByName("eth"), undefined);
  t.like(await linkNamed(namespace, "lo"), { group: 0 });
});

test("many links deleted together take their routes with them, and no other", async (t) => {
  const netlink = await openNetlink(t);
  const namespace = await openNamespace(t, netlink, "routed");
  const staying = await addPair(namespace, "stays");
  await Promise.all(Array.from({ length: 40 }, (_, i) => addPair(namespace, `eth${i}`)));
  const pairs = (await namespace.linkList()).filter(({ kind }) => kind === "veth");
  const doomed = pairs.filter(({ name }) => name.startsWith("eth"));
  await Promise.all(pairs.map(({ index }) => namespace.linkSet({ index, up: true })));
  await Promise.all(
    doomed.flatMap(({ index }, i) => [
      namespace.addrAdd({ linkIndex: index, address: `10.1.${i}.1/24` }),
      namespace.addrAdd({ linkIndex: index, address: `fd00:${i}::1/64` }),
    ]),
  );
  const [via] = doomed.map(({ index }) => index);
  await Promise.all([
    namespace.routeAdd({ destination: "10.2.0.0/16", linkIndex: staying.index }),
    namespace.routeAdd({ destination: "fd01::/64", linkIndex: staying.index }),
    namespace.routeAdd({ destination: "fd02::/64", linkIndex: via ?? 0 }),
  ]);
  await Promise.all(doomed.filter((_, i) => i % 2 === 0).map(({ index }) => namespace.linkDel(index)));
  t.deepEqual((await links({ namespace: "routed" })).map(({ ifname }) => ifname).sort(), ["lo", "stays", "stays-peer"]);
  const left = await namespace.routeList();
  t.deepEqual(
    left.filter(({ linkIndex }) => doomed.some(({ index }) => index === linkIndex)),
    [],
  );
  // The kernel gives the pair that stays more of them when it likes.
  const destinations = left.map(({ destination }) => destination);
  for (const destination of ["10.2.0.0/16", "fd01::/64"]) t.true(destinations.includes(destination), destination);
});

test("of many links that cannot be deleted together none loses anything before it goes", async (t) => {
  const netlink = await openNetlink(t);
  const namespace = await openNamespace(t, netlink, "undeletable-many");
  const { index: loopback } = await linkNamed(namespace, "lo");
  await namespace.linkSet({ index: loopback, up: true });
  await Promise.all(Array.from({ length: 32 }, (_, i) => namespace.linkAdd({ name: `br${i}`, kind: "bridge" })));
  const before = await namespace.routeList();
  const doomed = await namespace.linkList();
  const results = await Promise.allSettled(doomed.map(({ index }) => namespace.linkDel(index)));
  t.deepEqual(
    results.flatMap(({ status }, i) => (status === "rejected" ? [doomed[i]?.name] : [])),
    ["lo"],
  );
  t.deepEqual(await namespace.routeList(), before);
});
