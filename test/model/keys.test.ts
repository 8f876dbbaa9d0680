import test from "ava";
import fc from "fast-check";
import {
  arpKey,
  canonicalAddress,
  canonicalInterfaceAddress,
  canonicalNetwork,
  forwardingKey,
  hostNameAddressKey,
  hostNameKey,
  interfaceAddressKey,
  interfaceAddressPrefix,
  interfaceKey,
  interfaceStateKey,
  interfaceVrfKey,
  linkLocalRouteKey,
  linkLocalRoutePrefix,
  parseArpKey,
  parseForwardingKey,
  parseHostNameKey,
  parseInterfaceAddressKey,
  parseInterfaceKey,
  parseInterfaceStateKey,
  parseInterfaceVrfKey,
  parseLinkLocalRouteKey,
  parseRegistrationKey,
  parseRouteKey,
  parseRuleKey,
  registrationKey,
  routeKey,
  ruleKey,
} from "#proto/index.js";

/** Every kind of key: as built, as the contract writes it, and what it is taken apart into. */
const keys: readonly (readonly [built: string, written: string, parse: (key: string) => unknown, parts: unknown])[] = [
  [interfaceKey("a/b"), "config/linux/interfaces/v2/interface/a/b", parseInterfaceKey, { name: "a/b" }],
  [
    routeKey("10.1.2.3/16", "a/b"),
    "config/linux/l3/v2/route/10.1.0.0/16/a/b",
    parseRouteKey,
    { network: "10.1.0.0/16", outgoingInterface: "a/b" },
  ],
  [
    arpKey("a/b", "FD00::0001"),
    "config/linux/l3/v2/arp/a/b/fd00::1",
    parseArpKey,
    { interfaceName: "a/b", ipAddress: "fd00::1" },
  ],
  [
    routeKey("10.1.0.0/16", "a;b=c", { metric: 5, table: 100, vrf: "r;d" }),
    "config/linux/l3/v2/route/10.1.0.0/16/a=3Bb=3Dc;vrf=r=3Bd;table=100;metric=5",
    parseRouteKey,
    { network: "10.1.0.0/16", outgoingInterface: "a;b=c", vrf: "r;d", table: 100, metric: 5 },
  ],
  [
    routeKey("fd00::/8", "blackhole", { namespace: { type: "FD", reference: "/proc/1/ns/net" } }),
    "config/linux/l3/v2/route/fd00::/8/blackhole;namespace=fd:/proc/1/ns/net",
    parseRouteKey,
    { network: "fd00::/8", outgoingInterface: "blackhole", namespace: { type: "FD", reference: "/proc/1/ns/net" } },
  ],
  [ruleKey(100), "config/linux/l3/v2/rule/100", parseRuleKey, { priority: 100 }],
  [
    ruleKey(100, { family: "IPV6", namespace: { type: "NSID", reference: "n1" } }),
    "config/linux/l3/v2/rule/100;family=ipv6;namespace=nsid:n1",
    parseRuleKey,
    { priority: 100, family: "IPV6", namespace: { type: "NSID", reference: "n1" } },
  ],
  [
    arpKey("a", "FD00::0001", { proxy: true }),
    "config/linux/l3/v2/arp/a/fd00::1;proxy=true",
    parseArpKey,
    { interfaceName: "a", ipAddress: "fd00::1", proxy: true },
  ],
  [
    forwardingKey("a/b;c", "0A-00-00-00-00-FF", { vlan: 7, sourceVni: 9 }),
    "config/linux/l2/v1/fdb/a/b=3Bc/0a:00:00:00:00:ff;vlan=7;src_vni=9",
    parseForwardingKey,
    { interfaceName: "a/b;c", mac: "0a:00:00:00:00:ff", vlan: 7, sourceVni: 9 },
  ],
  [registrationKey("eth1"), "config/linux/ifmgr/v1/interface/eth1", parseRegistrationKey, { hostInterface: "eth1" }],
  [hostNameKey("eth1"), "linux/interface/host-name/eth1", parseHostNameKey, { hostName: "eth1" }],
  [
    hostNameAddressKey("eth1", "10.0.0.1/24"),
    "linux/interface/host-name/eth1/address/10.0.0.1/24",
    parseHostNameKey,
    { hostName: "eth1", address: "10.0.0.1/24" },
  ],
  [interfaceStateKey("a/b", true), "linux/interface/state/a/b/UP", parseInterfaceStateKey, { name: "a/b", up: true }],
  [interfaceStateKey("a", false), "linux/interface/state/a/DOWN", parseInterfaceStateKey, { name: "a", up: false }],
  [
    interfaceAddressKey("a/b", "fd00::1/64"),
    "linux/interface/a/b/address/static/fd00::1/64",
    parseInterfaceAddressKey,
    { name: "a/b", address: "fd00::1/64" },
  ],
  [interfaceVrfKey("a/b", "red"), "linux/interface/a/b/vrf/red", parseInterfaceVrfKey, { name: "a/b", vrf: "red" }],
  [
    linkLocalRouteKey("a/b", "10.0.0.0/8"),
    "linux/link-local-route/a/b/dest-address/10.0.0.0/8",
    parseLinkLocalRouteKey,
    { outgoingInterface: "a/b", network: "10.0.0.0/8" },
  ],
];

for (const [built, written, parse, parts] of keys) {
  test(`${written} is built and taken apart`, (t) => {
    t.is(built, written);
    t.deepEqual(parse(written), parts);
  });
}

test("a key is taken for one kind only", (t) => {
  const exceptions = new Set([parseHostNameKey]);
  for (const [, written, own] of keys) {
    const others = keys.map(([, , parse]) => parse).filter((parse) => parse !== own && !exceptions.has(parse as never));
    for (const parse of others) t.is(parse(written), undefined, `${parse.name} ${written}`);
  }
});

test("keys that end early are of no kind", (t) => {
  for (const prefix of [
    "config/linux/interfaces/v2/interface/",
    "config/linux/ifmgr/v1/interface/",
    "linux/interface/",
  ]) {
    for (const [, , parse] of keys) t.is(parse(prefix), undefined, `${parse.name} ${prefix}`);
  }
  t.is(parseRouteKey("config/linux/l3/v2/route/10.1.0.0/16/"), undefined);
  t.is(parseArpKey("config/linux/l3/v2/arp/veth1/"), undefined);
  t.is(parseRuleKey("config/linux/l3/v2/rule/first"), undefined);
  t.is(parseHostNameKey("linux/interface/host-name/eth1/address/"), undefined);
  t.is(parseInterfaceStateKey("linux/interface/state/a/"), undefined);
  t.is(parseInterfaceAddressKey("linux/interface/a/address/static/"), undefined);
  t.is(parseLinkLocalRouteKey("linux/link-local-route/a/dest-address/"), undefined);
});

test("prefixes select what lies below an interface", (t) => {
  t.true(interfaceAddressKey("a", "10.0.0.1/8").startsWith(interfaceAddressPrefix("a")));
  t.true(linkLocalRouteKey("a", "10.0.0.0/8").startsWith(linkLocalRoutePrefix("a")));
});

const spelledNetworks: readonly (readonly [text: string, network: string | undefined])[] = [
  ["10.1.2.3/16", "10.1.0.0/16"],
  ["10.1.2.3/0", "0.0.0.0/0"],
  ["10.1.2.3/32", "10.1.2.3/32"],
  ["255.255.255.255/9", "255.128.0.0/9"],
  ["FD00:0:0::1/64", "fd00::/64"],
  ["::/0", "::/0"],
  ["2001:db8::ffff/127", "2001:db8::fffe/127"],
  ["10.1.2.3", undefined],
  ["10.1.2.3/33", undefined],
  ["10.1.2.3/016", undefined],
  ["10.1.2/16", undefined],
  ["010.1.2.3/16", undefined],
  ["256.1.2.3/16", undefined],
  ["fd00::1/129", undefined],
  ["fd00::1%eth0/64", undefined],
  ["somewhere/8", undefined],
  ["/8", undefined],
];

for (const [text, network] of spelledNetworks) {
  test(`${text} is ${network ?? "no network"}`, (t) => {
    t.is(canonicalNetwork(text), network);
  });
}

test("one spelling per address", (t) => {
  t.is(canonicalAddress("FE80:0:0::0001"), "fe80::1");
  t.is(canonicalAddress("10.0.0.1"), "10.0.0.1");
  t.is(canonicalAddress("10.0.0.1/24"), undefined);
  t.is(canonicalInterfaceAddress("FD00::0001/64"), "fd00::1/64");
  t.is(canonicalInterfaceAddress("10.0.0.1"), undefined);
});

test("making an address or network canonical twice changes nothing more", (t) => {
  const address = fc.oneof(fc.ipV4(), fc.ipV6());
  const property = fc.property(address, fc.nat({ max: 128 }), (text, length) => {
    const network = canonicalNetwork(`${text}/${length}`);
    const prefix = canonicalInterfaceAddress(`${text}/${length}`);
    t.is(network === undefined, length > 32 && !text.includes(":"));
    if (network !== undefined) t.is(canonicalNetwork(network), network);
    if (prefix !== undefined) t.is(canonicalInterfaceAddress(prefix), prefix);
  });
  t.notThrows(() => fc.assert(property));
});
