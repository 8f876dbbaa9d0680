import test from "ava";
import fc from "fast-check";
import { addressTable, decodeAddress, encodeAddress } from "#plugins/netlink/codec/address.js";
import type { AttributeSpec, AttributeTable } from "#plugins/netlink/codec/attributes.js";
import { Reader, Writer } from "#plugins/netlink/codec/buffer.js";
import { decodeForwarding, encodeForwarding, forwardingTable } from "#plugins/netlink/codec/forwarding.js";
import { linkInfoTable, linkTable } from "#plugins/netlink/codec/link.js";
import { linkKinds, slaveKinds } from "#plugins/netlink/codec/link-kinds.js";
import { namespaceIdTable } from "#plugins/netlink/codec/namespace-id.js";
import { decodeNeighbour, encodeNeighbour, neighbourTable } from "#plugins/netlink/codec/neighbour.js";
import { decodeRoute, encodeRoute, routeTable } from "#plugins/netlink/codec/route.js";
import { decodeRule, encodeRule, ruleTable } from "#plugins/netlink/codec/rule.js";
import * as scalars from "#plugins/netlink/codec/scalars.js";
import type { Address, Forwarding, Neighbour, Route, Rule } from "#plugins/netlink/index.js";

const port = fc.integer({ min: 0, max: 0xffff });
const ipv4 = fc.ipV4();
const canonicalIpv6 = fc.constantFrom("::", "::1", "2001:db8::1", "fe80::1:2:3:4", "ff02::fb");
const linkAddress = fc
  .uint8Array({ minLength: 6, maxLength: 20 })
  .map((bytes) => Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join(":"));

/**
 * Values for the codecs that tables share. Codecs that a table makes for itself (lists, structures) have tests of
 * their own.
 */
const valuesOf = new Map<unknown, fc.Arbitrary<unknown>>([
  [scalars.u8, fc.integer({ min: 0, max: 0xff })],
  [scalars.u16, port],
  [scalars.u32, fc.integer({ min: 0, max: 0xffffffff })],
  [scalars.s32, fc.integer({ min: -0x80000000, max: 0x7fffffff })],
  [scalars.be16, port],
  [scalars.be32, fc.integer({ min: 0, max: 0xffffffff })],
  [scalars.u64, fc.bigInt({ min: 0n, max: 0xffffffffffffffffn })],
  [scalars.boolean8, fc.boolean()],
  [scalars.flag, fc.constant(true)],
  [scalars.string, fc.string({ unit: "grapheme" }).filter((text) => !text.includes("\0"))],
  [scalars.ip, fc.oneof(ipv4, canonicalIpv6)],
  [scalars.linkAddress, linkAddress],
  [scalars.flagsAndMask, fc.record({ flags: fc.nat(), mask: fc.nat() })],
  [scalars.portRange, fc.record({ low: port, high: port })],
]);

const tables = new Map<string, AttributeTable<AttributeSpec>>([
  ["link", linkTable],
  ["link info", linkInfoTable],
  ["address", addressTable],
  ["route", routeTable],
  ["neighbour", neighbourTable],
  ["forwarding entry", forwardingTable],
  ["rule", ruleTable],
  ["namespace id", namespaceIdTable],
  ...[...linkKinds].map(([kind, table]) => [`data of ${kind}`, table] as const),
  ...[...slaveKinds].map(([kind, table]) => [`slave data of ${kind}`, table] as const),
]);

const unknownAttributes = fc
  .dictionary(fc.integer({ min: 200, max: 400 }).map(String), fc.uint8Array({ maxLength: 40 }), { maxKeys: 5 })
  .map((entries) => new Map(Object.entries(entries).map(([number, bytes]) => [Number(number), bytes])));

function bytesOf(write: (writer: Writer) => void): Uint8Array {
  const writer = new Writer();
  write(writer);
  return writer.take();
}

for (const [title, table] of tables) {
  test(`${title}: what is encoded is decoded, with attributes that no table knows`, (t) => {
    const arbitraries: Record<string, fc.Arbitrary<unknown>> = {};
    for (const [name, [, codec]] of Object.entries(table.spec)) {
      const arbitrary = valuesOf.get(codec);
      if (arbitrary) arbitraries[name] = arbitrary;
    }
    fc.assert(
      fc.property(fc.record(arbitraries, { requiredKeys: [] }), unknownAttributes, (values, unknown) => {
        const bytes = bytesOf((writer) => table.encode(writer, values, unknown));
        const found = new Map<number, Uint8Array>();
        t.deepEqual(table.decode(new Reader(bytes), 0, bytes.length, found), { ...values });
        t.deepEqual(found, unknown);
      }),
      { numRuns: 50 },
    );
  });

  test(`${title}: no two attributes share a number`, (t) => {
    const numbers = Object.values(table.spec).map(([number]) => number);
    t.is(new Set(numbers).size, numbers.length);
  });
}

test("arbitrary bytes never make a table throw or run on", (t) => {
  fc.assert(
    fc.property(fc.constantFrom(...tables.values()), fc.uint8Array({ maxLength: 300 }), (table, bytes) => {
      t.notThrows(() => table.decode(new Reader(bytes), 0, bytes.length, new Map()));
    }),
  );
});

const prefix4 = fc.tuple(ipv4, fc.integer({ min: 1, max: 32 })).map(([ip, length]) => `${ip}/${length}`);
const prefix6 = fc.tuple(canonicalIpv6, fc.integer({ min: 1, max: 128 })).map(([ip, length]) => `${ip}/${length}`);
const prefix = fc.oneof(prefix4, prefix6);
const u8 = fc.integer({ min: 0, max: 0xff });
const index = fc.integer({ min: 1, max: 0x7fffffff });

test("addresses survive the way to bytes and back", (t) => {
  const address: fc.Arbitrary<Address> = fc.record(
    { linkIndex: index, address: prefix, scope: u8, flags: fc.nat(), protocol: u8 },
    { requiredKeys: ["linkIndex", "address", "scope", "flags"] },
  );
  fc.assert(
    fc.property(address, (value) => {
      const bytes = bytesOf((writer) => encodeAddress(writer, value));
      t.deepEqual(decodeAddress(new Reader(bytes), 0, bytes.length), { ...value });
    }),
  );
});

test("routes survive the way to bytes and back, next hops of either family included", (t) => {
  const gateway = fc.oneof(ipv4, canonicalIpv6);
  const nextHop = fc.record(
    { weight: fc.integer({ min: 1, max: 256 }), linkIndex: index, gateway, onLink: fc.constant(true) },
    { requiredKeys: ["weight"] },
  );
  const route: fc.Arbitrary<Route> = fc.record(
    {
      destination: prefix,
      table: fc.integer({ min: 1, max: 0xffffffff }),
      protocol: u8,
      scope: u8,
      type: u8,
      flags: fc.constant(0),
      linkIndex: index,
      gateway,
      preferredSource: ipv4,
      metric: fc.nat(),
      nextHops: fc.array(nextHop, { minLength: 1, maxLength: 8 }),
    },
    { requiredKeys: ["destination", "table", "protocol", "scope", "type", "flags"] },
  );
  fc.assert(
    fc.property(route, (value) => {
      const bytes = bytesOf((writer) => encodeRoute(writer, value));
      const nextHops = value.nextHops?.map((hop) => ({ ...hop }));
      t.deepEqual(decodeRoute(new Reader(bytes), 0, bytes.length), { ...value, ...(nextHops && { nextHops }) });
    }),
  );
});

test("neighbours survive the way to bytes and back", (t) => {
  const neighbour: fc.Arbitrary<Neighbour> = fc.record(
    { linkIndex: index, address: fc.oneof(ipv4, canonicalIpv6), linkAddress, state: port, flags: u8, protocol: u8 },
    { requiredKeys: ["linkIndex", "address", "state", "flags"] },
  );
  fc.assert(
    fc.property(neighbour, (value) => {
      const bytes = bytesOf((writer) => encodeNeighbour(writer, value));
      t.deepEqual(decodeNeighbour(new Reader(bytes), 0, bytes.length), { ...value });
    }),
  );
});

test("forwarding entries survive the way to bytes and back", (t) => {
  const entry: fc.Arbitrary<Forwarding> = fc.record(
    {
      linkIndex: index,
      linkAddress,
      state: port,
      flags: u8,
      destination: fc.oneof(ipv4, canonicalIpv6),
      vlan: port,
      port,
      vni: index,
      via: index,
      sourceVni: index,
    },
    { requiredKeys: ["linkIndex", "linkAddress", "state", "flags"] },
  );
  fc.assert(
    fc.property(entry, (value) => {
      const bytes = bytesOf((writer) => encodeForwarding(writer, value));
      t.deepEqual(decodeForwarding(new Reader(bytes), 0, bytes.length), { ...value });
      t.is(decodeNeighbour(new Reader(bytes), 0, bytes.length), undefined);
    }),
  );
});

test("rules survive the way to bytes and back", (t) => {
  const name = fc.stringMatching(/^[a-z]{1,15}$/);
  const rule: fc.Arbitrary<Rule> = fc.record(
    {
      family: fc.constantFrom("inet", "inet6"),
      priority: fc.nat(),
      table: fc.integer({ min: 1, max: 0xffffffff }),
      action: u8,
      source: prefix,
      destination: prefix,
      inputInterface: name,
      outputInterface: name,
      mark: fc.nat(),
      markMask: fc.nat(),
      protocol: u8,
      tos: fc.integer({ min: 1, max: 0xff }),
      invert: fc.constant(true),
      goto: fc.nat(),
      suppressPrefixLength: fc.nat(128),
      ipProtocol: u8,
      sourcePorts: fc.record({ first: port, last: port }),
      destinationPorts: fc.record({ first: port, last: port }),
    },
    { requiredKeys: ["family", "priority", "table", "action"] },
  );
  fc.assert(
    fc.property(rule, (value) => {
      const bytes = bytesOf((writer) => encodeRule(writer, value));
      t.deepEqual(decodeRule(new Reader(bytes), 0, bytes.length), { ...value });
    }),
  );
});

const badValues: readonly (readonly [title: string, encode: (writer: Writer) => void, message: RegExp])[] = [
  ["an address without a length", (w) => encodeAddress(w, { linkIndex: 1, address: "10.0.0.1" }), /prefix length/],
  ["a prefix that is too long", (w) => encodeAddress(w, { linkIndex: 1, address: "10.0.0.1/33" }), /10\.0\.0\.1\/33/],
  ["a gateway that is none", (w) => encodeRoute(w, { destination: "10.0.0.0/8", gateway: "x" }), /gateway.*"x"/],
  [
    "a table above 32 bits",
    (w) => encodeRoute(w, { destination: "10.0.0.0/8", table: 2 ** 32 }),
    /from 0 to 4294967295/,
  ],
  ["link data with an unknown name", (w) => linkKinds.get("vxlan")!.encodeChecked(w, { vni: 1 }), /no attribute "vni"/],
  ["link data of a wrong type", (w) => linkKinds.get("vxlan")!.encodeChecked(w, { id: "1" }), /vxlan data: id: .*"1"/],
];

for (const [title, encode, message] of badValues) {
  test(`${title} is refused with the reason`, (t) => {
    t.throws(() => encode(new Writer()), { name: "InvalidInputError", message });
  });
}
