import test from "ava";
import { contractRegistry, refusal, sampleRegistry } from "./registries.js";

const KEY = "config/linux/interfaces/v2/interface/veth1";
const registry = contractRegistry();
const samples = sampleRegistry();

/** A bad interface: what is wrong with it, the code, the field, and what follows "key: field: " in the message. */
const badInterfaces: readonly (readonly [value: object, code: string, field: string, problem: RegExp])[] = [
  [{ nmae: "veth1" }, "UNKNOWN_FIELD", "nmae", /^no such field in Interface; did you mean name\?$/],
  [{ IpAddresses: [] }, "UNKNOWN_FIELD", "IpAddresses", /did you mean ip_addresses\?$/],
  [{ veth: { peer: "b" } }, "UNKNOWN_FIELD", "veth.peer", /it has peer_if_name, rx_checksum_offloading, tx_/],
  [{ veth: { peerName: "b" } }, "UNKNOWN_FIELD", "veth.peerName", /^no such field in VethLink/],
  [
    { host_if_name: "a", hostIfName: "b" },
    "DUPLICATE_FIELD",
    "host_if_name",
    /hostIfName is the same field as host_if_name/,
  ],
  [{ mtu: "big" }, "WRONG_TYPE", "mtu", /^expected a whole number, got "big"$/],
  [{ mtu: 1500.5 }, "WRONG_TYPE", "mtu", /^expected a whole number, got 1500.5$/],
  [{ mtu: -1 }, "OUT_OF_RANGE", "mtu", /^expected 0 to 4294967295, got -1$/],
  [{ mtu: 4294967296 }, "OUT_OF_RANGE", "mtu", /^expected 0 to 4294967295, got 4294967296$/],
  [{ name: 7 }, "WRONG_TYPE", "name", /^expected text, got 7$/],
  [{ name: "a\ud800" }, "WRONG_TYPE", "name", /Unicode/],
  [{ enabled: "yes" }, "WRONG_TYPE", "enabled", /^expected true or false, got "yes"$/],
  [{ ip_addresses: "10.0.0.1/24" }, "WRONG_TYPE", "ip_addresses", /^expected a list, got "10.0.0.1\/24"$/],
  [{ ip_addresses: ["10.0.0.1/24", 3] }, "WRONG_TYPE", "ip_addresses[1]", /^expected text, got 3$/],
  [{ ip_addresses: [null] }, "WRONG_TYPE", "ip_addresses[0]", /^expected text, got null$/],
  [{ veth: "veth2" }, "WRONG_TYPE", "veth", /^expected an object, got "veth2"$/],
  [{ veth: [] }, "WRONG_TYPE", "veth", /^expected an object, got \[\]$/],
  [{ bridge: { ports: [{}, { pvid: "x" }] } }, "WRONG_TYPE", "bridge.ports[1].pvid", /^expected a whole number/],
  [{ type: "VETHH" }, "UNKNOWN_ENUM_VALUE", "type", /^"VETHH" is not one of UNDEFINED, VETH, .*; did you mean VETH\?$/],
  [{ type: "veth" }, "UNKNOWN_ENUM_VALUE", "type", /did you mean VETH\?$/],
  [{ type: 99 }, "UNKNOWN_ENUM_VALUE", "type", /^99 is not one of UNDEFINED, VETH/],
  [{ type: true }, "UNKNOWN_ENUM_VALUE", "type", /^true is not one of/],
  [{ veth: {}, vxlan: {} }, "ONEOF_CONFLICT", "vxlan", /^veth is given too, and only one link may be$/],
];

for (const [value, code, field, problem] of badInterfaces) {
  test(`an interface with ${JSON.stringify(value)} is refused`, (t) => {
    const error = refusal(() => registry.decode(KEY, { name: "veth1", ...value }));
    t.is(error.code, code);
    t.is(error.field, field);
    t.is(error.key, KEY);
    t.true(error.message.startsWith(`${KEY}: ${field}: `), error.message);
    t.regex(error.message.slice(`${KEY}: ${field}: `.length), problem);
  });
}

/** The same for kinds of fields that only other people's messages have. */
const badSamples: readonly (readonly [value: object, code: string, field: string])[] = [
  [{ i64: "9223372036854775808" }, "OUT_OF_RANGE", "i64"],
  [{ u64: -1 }, "OUT_OF_RANGE", "u64"],
  [{ u64: 2 ** 60 }, "OUT_OF_RANGE", "u64"],
  [{ i64: 1.5 }, "WRONG_TYPE", "i64"],
  [{ i64: "1e3" }, "WRONG_TYPE", "i64"],
  [{ f64: "fast" }, "WRONG_TYPE", "f64"],
  [{ data: "not base64!" }, "WRONG_TYPE", "data"],
  [{ counts: ["a"] }, "WRONG_TYPE", "counts"],
  [{ counts: { a: -1 } }, "OUT_OF_RANGE", 'counts["a"]'],
  [{ children: { 1: {}, "01": {} } }, "DUPLICATE_FIELD", 'children["01"]'],
  [{ children: { one: {} } }, "WRONG_TYPE", 'children["one"]'],
  [{ children: { 1: { colours: ["RED", "GREEN"] } } }, "UNKNOWN_ENUM_VALUE", 'children["1"].colours[1]'],
  [{ extra: { "@type": "acme.Nothing" } }, "UNKNOWN_MESSAGE", "extra.@type"],
  [{ extra: { name: "x" } }, "MISSING_FIELD", "extra.@type"],
  [{ extra: { "@type": "x/acme.Sample", i32: "x" } }, "WRONG_TYPE", "extra.i32"],
];

for (const [value, code, field] of badSamples) {
  test(`a message with ${JSON.stringify(value)} is refused`, (t) => {
    const error = refusal(() => samples.decodeMessage("acme.Sample", value));
    t.is(error.code, code);
    t.is(error.field, field);
    t.true(error.message.startsWith(`acme.Sample: ${field}: `), error.message);
  });
}

/** Bytes that are no interface. */
const badPayloads: readonly (readonly [
  text: string,
  contentType: string | undefined,
  code: string,
  problem: RegExp,
])[] = [
  ["hello", undefined, "INVALID_PAYLOAD", /neither JSON, which begins with a brace, nor protobuf/],
  ["hello", "application/x-protobuf", "INVALID_PROTOBUF", /these 5 bytes are no ligato.linux.interfaces.Interface/],
  ["hello", "application/json", "INVALID_JSON", /not JSON: /],
  ['{"name": "veth1"', undefined, "INVALID_JSON", /not JSON: /],
  ["{name: veth1}", undefined, "INVALID_JSON", /not JSON: /],
  ["[]", undefined, "WRONG_TYPE", /expected an object, got \[\]/],
  ['"veth1"', "application/json", "WRONG_TYPE", /expected an object, got "veth1"/],
  ["null", "application/json", "WRONG_TYPE", /expected an object, got null/],
];

for (const [text, contentType, code, problem] of badPayloads) {
  test(`the payload ${text} as ${contentType ?? "whatever it looks like"} is refused`, (t) => {
    const error = refusal(() => registry.decode(KEY, Buffer.from(text), contentType));
    t.is(error.code, code);
    t.is(error.key, KEY);
    t.regex(error.message, problem);
  });
}

test("what is nested more deeply than it can be written down is refused like anything else", (t) => {
  const depth = 100_000;
  const text = `{"name": ${"[".repeat(depth)}${"]".repeat(depth)}}`;
  t.is(refusal(() => registry.decode(KEY, Buffer.from(text))).code, "TOO_DEEP");
  t.like(
    refusal(() => registry.decode(KEY, JSON.parse(text) as object)),
    { code: "WRONG_TYPE", field: "name" },
  );
});

test("bytes that are not UTF-8 are no JSON", (t) => {
  const bytes = Buffer.concat([Buffer.from('{"name": "'), Buffer.from([0xff]), Buffer.from('"}')]);
  t.is(refusal(() => registry.decode(KEY, bytes, "application/json")).code, "INVALID_JSON");
});

test("a protobuf field that the message does not have is refused, not skipped", (t) => {
  const field500 = [0xa2, 0x1f, 0x00];
  const bytes = Buffer.from([...registry.encode(KEY, { name: "veth1" }, "protobuf"), ...field500]);
  const error = refusal(() => registry.decode(KEY, bytes, "application/x-protobuf"));
  t.is(error.code, "UNKNOWN_FIELD");
  t.regex(error.message, /no field number 500/);
});

test("a protobuf field of another type is refused by its name", (t) => {
  const error = refusal(() => registry.decode(KEY, Buffer.from([0x42, 0x01, 0x61]), "application/x-protobuf"));
  t.is(error.code, "WRONG_TYPE");
  t.is(error.field, "mtu");
});

test("an enum number that means nothing is refused in protobuf too", (t) => {
  const error = refusal(() => registry.decode(KEY, Buffer.from([0x10, 0x63]), "application/x-protobuf"));
  t.is(error.code, "UNKNOWN_ENUM_VALUE");
  t.is(error.field, "type");
});
