import test from "ava";
import { ip, link as ipLink } from "#test/support/sandbox.js";
import { addPair, linkNamed, openNamespace, openNetlink } from "./support.js";

const NODAD = 0x02;

test("a veth pair is made across two namespaces in one request, and each end knows where the other is", async (t) => {
  const netlink = await openNetlink(t);
  const left = await openNamespace(t, netlink, "left");
  const right = await openNamespace(t, netlink, "right");
  await left.linkAdd({
    name: "to-right",
    kind: "veth",
    mtu: 1400,
    address: "02:00:00:00:00:01",
    peer: { name: "to-left", namespace: right, address: "02:00:00:00:00:02", mtu: 1300 },
  });
  const near = await linkNamed(left, "to-right");
  const far = await linkNamed(right, "to-left");
  t.like(near, { kind: "veth", mtu: 1400, address: "02:00:00:00:00:01", link: far.index, up: false });
  t.like(far, { kind: "veth", mtu: 1300, address: "02:00:00:00:00:02", link: near.index });
  t.is(near.linkNamespaceId, await left.namespaceId(right));
  t.like(await ipLink("to-left", { namespace: "right" }), { mtu: 1300, address: "02:00:00:00:00:02" });
});

test("a link is changed, renamed, given an alias, moved and deleted", async (t) => {
  const netlink = await openNetlink(t);
  const home = await openNamespace(t, netlink, "link-home");
  const away = await openNamespace(t, netlink, "link-away");
  const { index } = await addPair(home, "wan");
  await home.linkSet({ index, alias: "tenuto:wan", mtu: 1280, txQueueLength: 77, group: 5 });
  t.like(await ipLink("wan", { namespace: "link-home" }), { ifalias: "tenuto:wan", mtu: 1280, txqlen: 77, group: "5" });
  await home.linkSet({ index, up: false, name: "wan2" });
  t.like(await home.linkByIndex(index), { name: "wan2", up: false, alias: "tenuto:wan", group: 5, txQueueLength: 77 });
  await home.altNameAdd(index, "a-name-longer-than-fifteen-bytes");
  t.deepEqual((await home.linkByName("a-name-longer-than-fifteen-bytes"))?.altNames, [
    "a-name-longer-than-fifteen-bytes",
  ]);
  await home.altNameDel(index, "a-name-longer-than-fifteen-bytes");
  t.is(await home.linkByName("a-name-longer-than-fifteen-bytes"), undefined);
  await home.linkSet({ index, namespace: away });
  t.is(await home.linkByName("wan2"), undefined);
  await away.linkDel((await linkNamed(away, "wan2")).index);
  t.is(await home.linkByName("wan-peer"), undefined, "the peer goes as well");
});

test("a bridge has its own data, its ports theirs, and links are listed by kind and master", async (t) => {
  const netlink = await openNetlink(t);
  const namespace = await openNamespace(t, netlink, "bridge");
  await namespace.linkAdd({
    name: "br",
    kind: "bridge",
    up: true,
    data: { ageingTime: 1000, groupForwardMask: 8 },
  });
  const bridge = await linkNamed(namespace, "br");
  t.like(bridge.data, { ageingTime: 1000, groupForwardMask: 8 });
  const port = await addPair(namespace, "port");
  await namespace.linkSet({ index: port.index, master: bridge.index });
  await namespace.linkSet({ index: port.index, slaveKind: "bridge", slaveData: { cost: 42, isolated: true } });
  t.like(await namespace.linkByIndex(port.index), { master: bridge.index, slaveKind: "bridge" });
  t.like((await namespace.linkByIndex(port.index))?.slaveData, { cost: 42, isolated: true });
  t.like(await ipLink("port", { namespace: "bridge" }), { master: "br" });
  t.deepEqual(
    (await namespace.linkList({ master: bridge.index })).map(({ name }) => name),
    ["port"],
  );
  t.deepEqual(
    (await namespace.linkList({ kind: "bridge" })).map(({ name }) => name),
    ["br"],
  );
  t.deepEqual((await namespace.linkList()).map(({ name }) => name).sort(), ["br", "lo", "port", "port-peer"]);
  await namespace.linkSet({ index: port.index, master: 0 });
  t.is((await namespace.linkByIndex(port.index))?.master, undefined);
});

for (const { kind, data } of [
  { kind: "vxlan", data: { id: 77, local: "10.0.0.1", port: 4789, learning: false } },
  { kind: "macvlan", data: { mode: 4 } },
]) {
  test(`${kind} keeps its data`, async (t) => {
    const netlink = await openNetlink(t);
    const namespace = await openNamespace(t, netlink, `kind-${kind}`);
    const parent = await addPair(namespace, "parent");
    await namespace.linkAdd({ name: "child", kind, link: kind === "vxlan" ? undefined : parent.index, data } as never);
    t.like((await linkNamed(namespace, "child")).data, data);
    t.is((await ipLink("child", { namespace: `kind-${kind}` }))?.linkinfo?.info_kind, kind);
  });
}

test("addresses of both families are added, replaced, listed and deleted", async (t) => {
  const netlink = await openNetlink(t);
  const namespace = await openNamespace(t, netlink, "addresses");
  const { index: linkIndex } = await addPair(namespace, "eth");
  await Promise.all([
    namespace.addrAdd({ linkIndex, address: "10.0.0.1/24", broadcast: "10.0.0.255", label: "eth:a", protocol: 99 }),
    namespace.addrAdd({ linkIndex, address: "10.1.0.1/32", peer: "10.1.0.2" }),
    namespace.addrAdd({ linkIndex, address: "2001:db8::1/64", flags: NODAD, protocol: 99 }),
  ]);
  const v4 = await namespace.addrList({ linkIndex, family: "inet" });
  t.like(v4[0], { linkIndex, address: "10.0.0.1/24", broadcast: "10.0.0.255", label: "eth:a", protocol: 99, scope: 0 });
  t.like(v4[1], { address: "10.1.0.1/32", peer: "10.1.0.2" });
  const v6 = (await namespace.addrList({ linkIndex, family: "inet6" })).filter(({ scope }) => scope === 0);
  t.like(v6, { length: 1 });
  t.like(v6[0], { address: "2001:db8::1/64", protocol: 99 });
  const view = await ipLink("eth", { namespace: "addresses" });
  t.deepEqual(
    view?.addr_info.filter(({ scope }) => scope === "global").map(({ local, prefixlen }) => `${local}/${prefixlen}`),
    ["10.0.0.1/24", "10.1.0.1/32", "2001:db8::1/64"],
  );
  await namespace.addrReplace({ linkIndex, address: "10.0.0.1/24", protocol: 98 });
  await t.throwsAsync(namespace.addrAdd({ linkIndex, address: "10.0.0.1/24" }), { code: "EEXIST" });
  for (const address of ["10.0.0.1/24", "2001:db8::1/64"]) await namespace.addrDel({ linkIndex, address });
  await t.throwsAsync(namespace.addrDel({ linkIndex, address: "10.0.0.1/24" }), { code: "EADDRNOTAVAIL" });
  t.deepEqual(await namespace.addrList({ linkIndex: 4242 }), []);
});

test("routes of both families, multipath and blackholes included, read back as iproute2 shows them", async (t) => {
  const netlink = await openNetlink(t);
  const namespace = await openNamespace(t, netlink, "routes");
  const a = (await addPair(namespace, "a")).index;
  const b = (await addPair(namespace, "b")).index;
  await Promise.all([
    namespace.addrAdd({ linkIndex: a, address: "10.0.0.1/24" }),
    namespace.addrAdd({ linkIndex: b, address: "10.0.1.1/24" }),
    namespace.addrAdd({ linkIndex: a, address: "2001:db8::1/64", flags: NODAD }),
  ]);
  const nextHops = [
    { linkIndex: a, gateway: "10.0.0.2", weight: 1 },
    { linkIndex: b, gateway: "10.0.1.2", weight: 3 },
  ];
  await Promise.all([
    namespace.routeAdd({ destination: "10.1.0.0/16", gateway: "10.0.0.2", metric: 50, protocol: 77 }),
    namespace.routeAdd({ destination: "10.2.0.0/16", nextHops }),
    namespace.routeAdd({ destination: "10.3.0.0/16", type: 6, table: 1000 }),
    namespace.routeAdd({ destination: "10.4.0.0/16", gateway: "2001:db8::2", linkIndex: a }),
    namespace.routeAdd({
      destination: "10.5.0.0/16",
      gateway: "192.0.2.1",
      linkIndex: a,
      onLink: true,
      preferredSource: "10.0.0.1",
    }),
    namespace.routeAdd({ destination: "10.6.0.0/16", linkIndex: b }),
    namespace.routeAdd({ destination: "0.0.0.0/0", gateway: "10.0.1.2" }),
    namespace.routeAdd({ destination: "2001:db8:1::/48", gateway: "2001:db8::2", linkIndex: a, metric: 7 }),
    namespace.routeAdd({ destination: "::/0", gateway: "2001:db8::3" }),
  ]);

  const main = await namespace.routeList({ table: 254 });
  const route = (destination: string) => main.find((each) => each.destination === destination);
  t.like(route("10.1.0.0/16"), { gateway: "10.0.0.2", metric: 50, protocol: 77, linkIndex: a });
  t.like(route("10.2.0.0/16"), { nextHops });
  t.like(route("10.4.0.0/16"), { gateway: "2001:db8::2" });
  t.like(route("10.5.0.0/16"), { onLink: true, preferredSource: "10.0.0.1" });
  t.like(route("10.6.0.0/16"), { scope: 253, linkIndex: b });
  t.like(route("0.0.0.0/0"), { gateway: "10.0.1.2" });
  t.like(route("2001:db8:1::/48"), { gateway: "2001:db8::2", metric: 7 });
  t.like(route("::/0"), { gateway: "2001:db8::3" });
  t.is(route("10.3.0.0/16"), undefined);

  t.deepEqual(
    (await namespace.routeList({ table: 1000 })).map(({ destination, type }) => [destination, type]),
    [["10.3.0.0/16", 6]],
  );
  t.deepEqual(
    (await namespace.routeList({ protocol: 77 })).map(({ destination }) => destination),
    ["10.1.0.0/16"],
  );
  t.deepEqual(await namespace.routeList({ table: 4711 }), []);
  const throughB = await namespace.routeList({ family: "inet", linkIndex: b, table: 254 });
  t.deepEqual(throughB.map(({ destination }) => destination).sort(), [
    "0.0.0.0/0",
    "10.0.1.0/24",
    "10.2.0.0/16",
    "10.6.0.0/16",
  ]);
  const shown = await ip<{ dst: string; gateway?: string }>("route", "show", { namespace: "routes" });
  t.deepEqual(
    shown.map(({ dst }) => (dst === "default" ? "0.0.0.0/0" : dst)).sort(),
    main
      .filter(({ destination }) => !destination.includes(":"))
      .map(({ destination }) => destination)
      .sort(),
  );

  await namespace.routeReplace({ destination: "10.1.0.0/16", gateway: "10.0.0.3", metric: 50 });
  await namespace.routeDel({ destination: "10.2.0.0/16" });
  const after = await namespace.routeList({ family: "inet", table: 254 });
  t.like(
    after.find(({ destination }) => destination === "10.1.0.0/16"),
    { gateway: "10.0.0.3", protocol: 4 },
  );
  t.is(
    after.find(({ destination }) => destination === "10.2.0.0/16"),
    undefined,
  );
});

test("neighbours are added, changed, listed and deleted", async (t) => {
  const netlink = await openNetlink(t);
  const namespace = await openNamespace(t, netlink, "neighbours");
  const { index: linkIndex } = await addPair(namespace, "eth");
  await namespace.neighAdd({ linkIndex, address: "10.0.0.9", linkAddress: "02:00:00:00:00:09" });
  await namespace.neighAdd({ linkIndex, address: "2001:db8::9", linkAddress: "02:00:00:00:00:09" });
  await t.throwsAsync(namespace.neighAdd({ linkIndex, address: "10.0.0.9", linkAddress: "02:00:00:00:00:09" }), {
    code: "EEXIST",
  });
  await namespace.neighSet({ linkIndex, address: "10.0.0.9", linkAddress: "02:00:00:00:00:0a" });
  const permanent = (await namespace.neighList({ linkIndex })).filter(({ state }) => state === 0x80);
  t.deepEqual(permanent.map(({ address, linkAddress }) => [address, linkAddress]).sort(), [
    ["10.0.0.9", "02:00:00:00:00:0a"],
    ["2001:db8::9", "02:00:00:00:00:09"],
  ]);
  await namespace.neighDel({ linkIndex, address: "10.0.0.9" });
  const shown = await ip<{ dst: string }>("neighbour", "show", "nud", "permanent", { namespace: "neighbours" });
  t.deepEqual(
    shown.map(({ dst }) => dst),
    ["2001:db8::9"],
  );
});

test("rules are added, listed and deleted", async (t) => {
  const netlink = await openNetlink(t);
  const namespace = await openNamespace(t, netlink, "rules");
  const rule = {
    family: "inet",
    priority: 100,
    source: "10.0.0.0/8",
    destination: "10.1.0.0/16",
    inputInterface: "lo",
    mark: 5,
    markMask: 0xff,
    table: 1000,
    protocol: 77,
  } as const;
  await namespace.ruleAdd(rule);
  await namespace.ruleAdd({ family: "inet6", priority: 101, action: 8 });
  t.like(
    (await namespace.ruleList("inet")).find(({ priority }) => priority === 100),
    rule,
  );
  t.like(
    (await namespace.ruleList()).find(({ priority }) => priority === 101),
    { family: "inet6", action: 8 },
  );
  const shown = await ip<{ priority: number; src: string; srclen: number }>("rule", "show", { namespace: "rules" });
  t.like(
    shown.find(({ priority }) => priority === 100),
    { src: "10.0.0.0", srclen: 8, table: "1000", iif: "lo" },
  );
  await namespace.ruleDel(rule);
  t.false((await namespace.ruleList("inet")).some(({ priority }) => priority === 100));
  await t.throwsAsync(namespace.ruleDel(rule), { code: "ENOENT" });
});

test("attributes that this client has no name for reach the kernel and come back", async (t) => {
  const netlink = await openNetlink(t);
  const namespace = await openNamespace(t, netlink, "unnamed");
  const { index: linkIndex } = await addPair(namespace, "eth");
  const gsoMaxSegments = 40; // IFLA_GSO_MAX_SEGS
  const bytes = Uint8Array.of(100, 0, 0, 0);
  await namespace.linkSet({ index: linkIndex, unknown: new Map([[gsoMaxSegments, bytes]]) });
  t.deepEqual((await linkNamed(namespace, "eth")).unknown.get(gsoMaxSegments), bytes);
  const metrics = 8; // RTA_METRICS, holding RTAX_ADVMSS
  const advertisedSegment = Uint8Array.of(8, 0, 8, 0, 0x14, 5, 0, 0);
  const route = { destination: "10.7.0.0/16", linkIndex, unknown: new Map([[metrics, advertisedSegment]]) };
  await namespace.routeAdd(route);
  const [found] = (await namespace.routeList({ linkIndex, table: 254, family: "inet" })).filter(
    ({ destination }) => destination === route.destination,
  );
  t.deepEqual(found?.unknown, route.unknown);
  // What was read can be written again.
  await namespace.routeReplace(found!);
  t.like(await namespace.routeList({ linkIndex, table: 254, family: "inet" }), { length: 1, 0: { ...found } });
});

test("a namespace that another has not met has no id there", async (t) => {
  const netlink = await openNetlink(t);
  const one = await openNamespace(t, netlink, "unmanaged-1");
  const two = await openNamespace(t, netlink, "unmanaged-2");
  t.is(await one.namespaceId(two), undefined);
});

test("a refusal names the object, the errno and the kernel's reason", async (t) => {
  const netlink = await openNetlink(t);
  const namespace = await openNamespace(t, netlink, "refusals");
  const { index } = await addPair(namespace, "eth");
  const tooSmall = await t.throwsAsync(namespace.linkSet({ index, mtu: 10 }));
  t.like(tooSmall, { name: "SouthboundError", kind: "southbound", code: "EINVAL" });
  t.is(tooSmall.message, `change link with index ${index}: EINVAL (mtu less than device minimum)`);
  await t.throwsAsync(namespace.routeAdd({ destination: "10.1.0.0/16", gateway: "192.0.2.1" }), {
    code: "ENETUNREACH",
    message: /^add route 10\.1\.0\.0\/16: ENETUNREACH \(.*gateway.*\)$/,
  });
  await t.throwsAsync(namespace.linkAdd({ name: "eth", kind: "bridge" }), {
    code: "EEXIST",
    message: /^add link eth: EEXIST/,
  });
  await t.throwsAsync(namespace.linkAdd({ name: "x", kind: "no-such-kind" }), {
    code: "EOPNOTSUPP",
    message: "add link x: EOPNOTSUPP (Unknown device type)",
  });
  const tooLong = await t.throwsAsync(namespace.linkAdd({ name: "a-name-longer-than-fifteen-bytes", kind: "bridge" }));
  t.like(tooLong, { code: "ERANGE", field: "name" });
  t.regex(tooLong.message, /attribute name\)$/);
  await t.throwsAsync(namespace.linkDel(4242), { code: "ENODEV" });
});

test("a value that cannot be written is refused by itself", async (t) => {
  const netlink = await openNetlink(t);
  const namespace = await openNamespace(t, netlink, "unwritable");
  const { index: linkIndex } = await addPair(namespace, "eth");
  const results = await Promise.allSettled([
    namespace.addrAdd({ linkIndex, address: "10.0.0.1/24" }),
    namespace.addrAdd({ linkIndex, address: "10.0.0.300/24" }),
    namespace.addrAdd({ linkIndex, address: "10.0.0.2/24" }),
  ]);
  t.deepEqual(
    results.map(({ status }) => status),
    ["fulfilled", "rejected", "fulfilled"],
  );
  t.like(results[1], { reason: { name: "InvalidInputError", field: "address" } });
});
