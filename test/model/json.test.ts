import test from "ava";
import { contractRegistry, sampleRegistry } from "./registries.js";

const KEY = "config/linux/interfaces/v2/interface/veth1";
const registry = contractRegistry();
const samples = sampleRegistry();

const decoded = (value: object): object => registry.decode(KEY, { name: "veth1", ...value }).value;
const sample = (value: object): object => samples.decodeMessage("acme.Sample", value);

test("fields are accepted in snake_case and camelCase, and come out in snake_case", (t) => {
  const expected = { name: "veth1", host_if_name: "eth0", veth: { peer_if_name: "veth2" } };
  t.deepEqual(decoded({ host_if_name: "eth0", veth: { peer_if_name: "veth2" } }), expected);
  t.deepEqual(decoded({ hostIfName: "eth0", veth: { peerIfName: "veth2" } }), expected);
});

test("enums are accepted by name, number and Ligato's longer name, and come out by name", (t) => {
  t.deepEqual(decoded({ type: "VXLAN" }), { name: "veth1", type: "VXLAN" });
  t.deepEqual(decoded({ type: 101 }), { name: "veth1", type: "VXLAN" });
  for (const offloading of ["DISABLED", 2, "CHKSM_OFFLOAD_DISABLED"]) {
    t.deepEqual(decoded({ veth: { rx_checksum_offloading: offloading } }), {
      name: "veth1",
      veth: { rx_checksum_offloading: "DISABLED" },
    });
  }
});

test("what has its default value is left out, and so is null", (t) => {
  t.deepEqual(
    decoded({
      type: "UNDEFINED",
      enabled: false,
      mtu: 0,
      ip_addresses: [],
      phys_address: "",
      host_if_name: null,
      veth: null,
    }),
    { name: "veth1" },
  );
});

test("an empty message is kept: that it is there says something", (t) => {
  t.deepEqual(decoded({ vrf_dev: {} }), { name: "veth1", vrf_dev: {} });
});

test("an optional field keeps its default value, and so does a member of a oneof", (t) => {
  t.deepEqual(sample({ maybe: false, circle: 0 }), { circle: 0, maybe: false });
  t.deepEqual(sample({ maybe: null }), {});
});

test("fields come out in the order of their numbers, whatever order they were written in", (t) => {
  const fields = Object.keys(decoded({ veth: { peer_if_name: "b" }, mtu: 1500, type: "VETH" }));
  t.deepEqual(fields, ["name", "type", "mtu", "veth"]);
});

test("64-bit integers come out as text, from text or from numbers that JSON holds exactly", (t) => {
  t.deepEqual(sample({ i64: "-9223372036854775808", u64: "18446744073709551615" }), {
    i64: "-9223372036854775808",
    u64: "18446744073709551615",
  });
  t.deepEqual(sample({ i64: 42, u64: "007", many: [1, "-2"] }), { i64: "42", u64: "7", many: ["1", "-2"] });
});

test("32-bit integers are numbers, also when written as text", (t) => {
  t.deepEqual(sample({ i32: "-5", u32: 4294967295 }), { i32: -5, u32: 4294967295 });
});

test("floating point numbers keep their shortest form, and NaN and the infinities are text", (t) => {
  t.deepEqual(sample({ f32: 0.1, f64: 0.1 }), { f32: 0.1, f64: 0.1 });
  t.deepEqual(sample({ f32: "NaN", f64: "-Infinity" }), { f32: "NaN", f64: "-Infinity" });
  const bytes = samples.encodeMessage("acme.Sample", { f32: 0.1, f64: "Infinity" }, "protobuf");
  t.deepEqual(samples.decodeMessage("acme.Sample", bytes), { f32: 0.1, f64: "Infinity" });
});

test("bytes are base64, in either alphabet, or bytes", (t) => {
  t.deepEqual(sample({ data: "-_8" }), { data: "+/8=" });
  t.deepEqual(sample({ data: new Uint8Array([251, 255]) }), { data: "+/8=" });
});

test("maps, lists and messages may hold each other, and map keys come out sorted", (t) => {
  const value = sample({ counts: { b: 2, a: 1 }, children: { "-1": { colours: [1, "BLUE"] } } });
  t.deepEqual(value, { counts: { a: 1, b: 2 }, children: { "-1": { colours: ["RED", "BLUE"] } } });
  t.deepEqual(Object.keys((value as { counts: object }).counts), ["a", "b"]);
});

test("a map key called __proto__ is a key like any other", (t) => {
  const value = sample(JSON.parse('{"counts": {"__proto__": 7}}') as object) as { counts: object };
  t.deepEqual(Object.entries(value.counts), [["__proto__", 7]]);
  t.is(Object.getPrototypeOf(value.counts), Object.prototype);
});

test("JSON is told from protobuf by the content type, else by looking", (t) => {
  const json = Buffer.from(' \n{"name":"veth1","mtu":1400}');
  const bytes = registry.encode(KEY, { name: "veth1", mtu: 1400 }, "protobuf");
  const expected = { name: "veth1", mtu: 1400 };
  for (const type of [
    undefined,
    "application/octet-stream",
    "application/json; charset=utf-8",
    "application/problem+json",
  ]) {
    t.deepEqual(registry.decode(KEY, json, type).value, expected, String(type));
  }
  for (const type of [undefined, "text/plain", "application/x-protobuf", "application/protobuf"]) {
    t.deepEqual(registry.decode(KEY, bytes, type).value, expected, String(type));
  }
});

test("a protobuf message that begins like JSON is protobuf all the same", (t) => {
  const name = "{".repeat(123);
  const bytes = registry.encode(`config/linux/interfaces/v2/interface/${name}`, { name }, "protobuf");
  t.is(Buffer.from(bytes.subarray(0, 3)).toString(), "\n{{");
  t.deepEqual(registry.decode(`config/linux/interfaces/v2/interface/${name}`, bytes).value, { name });
});

test("an empty payload is a message without fields", (t) => {
  t.deepEqual(registry.decodeMessage("tenuto.v1.GetRequest", new Uint8Array()), { prefix: "" });
  t.deepEqual(registry.decodeMessage("tenuto.v1.GetRequest", new Uint8Array(), "application/json"), { prefix: "" });
});

test("messages of the agent's protocol are written in full", (t) => {
  const result = registry.decodeMessage("tenuto.v1.TransactionResult", {
    id: "a",
    outcome: "APPLIED",
    values: [{ key: "k", state: "CONFIGURED" }],
  });
  t.deepEqual(result, {
    id: "a",
    seq: 0,
    outcome: "APPLIED",
    error: "",
    values: [{ key: "k", state: "CONFIGURED", error: "", last_operation: "UNDEFINED", details: [] }],
    operations: [],
    truncated: false,
  });
  const json = Buffer.from(registry.encodeMessage("tenuto.v1.TransactionResult", { id: "a" }, "json")).toString();
  t.is(json, '{"id":"a","seq":0,"outcome":"UNKNOWN","error":"","values":[],"operations":[],"truncated":false}');
});

test("whatever is accepted as input is accepted for encoding, and written canonically", (t) => {
  const json = registry.encode(KEY, { mtu: "1400", type: 1, name: "veth1" }, "json");
  t.is(Buffer.from(json).toString(), '{"name":"veth1","type":"VETH","mtu":1400}');
});
