import test from "ava";
import fc from "fast-check";
import protobuf from "protobufjs";
import { TenutoError } from "#core/errors.js";
import { messageArbitrary, messages } from "./messages.js";
import { contractRegistry, refusal, sampleRegistry } from "./registries.js";

const KEY = "config/linux/interfaces/v2/interface/veth1";
const ROUTE_KEY = "config/linux/l3/v2/route/10.1.0.0/16/veth1";
const registry = contractRegistry();
const samples = sampleRegistry();

for (const type of messages) {
  const name = type.fullName.slice(1);

  test(`${name}: JSON, canonical form, protobuf and JSON text all say the same`, (t) => {
    const property = fc.property(messageArbitrary(type), (json) => {
      const canonical = samples.decodeMessage(name, json);
      t.deepEqual(samples.decodeMessage(name, canonical), canonical);
      t.deepEqual(
        samples.decodeMessage(name, samples.encodeMessage(name, json, "protobuf"), "application/x-protobuf"),
        canonical,
      );
      t.deepEqual(
        samples.decodeMessage(name, samples.encodeMessage(name, json, "json"), "application/json"),
        canonical,
      );
    });
    t.notThrows(() => fc.assert(property, { numRuns: 50 }));
  });
}

test("bytes at random are decoded or refused as invalid input, and nothing else happens", (t) => {
  const property = fc.property(fc.constantFrom(...messages), fc.uint8Array({ maxLength: 40 }), (type, bytes) => {
    try {
      samples.decodeMessage(type.fullName.slice(1), bytes);
    } catch (thrown) {
      t.true(thrown instanceof TenutoError && thrown.kind === "invalid-input", String(thrown));
    }
  });
  t.notThrows(() => fc.assert(property, { numRuns: 2000 }));
});

test("a message cut short anywhere is decoded or refused as invalid input", (t) => {
  const value = { name: "veth1", ip_addresses: ["10.0.0.1/24"], mtu: 1400, veth: { peer_if_name: "veth2" } };
  const bytes = registry.encode(KEY, value, "protobuf");
  for (let length = 0; length < bytes.length; length++) {
    try {
      registry.decode(KEY, bytes.subarray(0, length), "application/x-protobuf");
    } catch (thrown) {
      t.true(thrown instanceof TenutoError && thrown.kind === "invalid-input", String(thrown));
    }
  }
  t.deepEqual(registry.decode(KEY, bytes).value, value);
});

/** The parts of Ligato's messages that a Ligato orchestrator would use, declared here a second time. */
const LIGATO = protobuf
  .parse(
    `syntax = "proto3";
   message Interface {
     string name = 1; int32 type = 2; NetNamespace namespace = 3; string host_if_name = 4; bool enabled = 5;
     repeated string ip_addresses = 6; string phys_address = 7; uint32 mtu = 8; VethLink veth = 20;
   }
   message NetNamespace { int32 type = 1; string reference = 2; }
   message VethLink { string peer_if_name = 1; int32 rx_checksum_offloading = 2; }`,
    { keepCase: true },
  )
  .root.lookupType("Interface");

test("what a Ligato orchestrator encodes is understood, and what we encode it understands", (t) => {
  const theirs = {
    name: "veth1",
    type: 1,
    namespace: { type: 1, reference: "red" },
    host_if_name: "eth0",
    enabled: true,
    ip_addresses: ["10.0.0.1/24", "fd00::1/64"],
    phys_address: "02:00:00:00:00:01",
    mtu: 1400,
    veth: { peer_if_name: "veth2", rx_checksum_offloading: 2 },
  };
  const ours = {
    ...theirs,
    type: "VETH",
    namespace: { type: "NSID", reference: "red" },
    veth: { peer_if_name: "veth2", rx_checksum_offloading: "DISABLED" },
  };
  t.deepEqual(registry.decode(KEY, LIGATO.encode(theirs).finish()).value, ours);
  t.deepEqual(LIGATO.toObject(LIGATO.decode(registry.encode(KEY, ours, "protobuf"))), theirs);
});

test("of two members of a oneof in protobuf the last one counts", (t) => {
  const veth = registry.encode(KEY, { name: "veth1", veth: { peer_if_name: "b" } }, "protobuf");
  const vrf = registry.encode(KEY, { vrf_dev: { routing_table: 10 } }, "protobuf");
  const { value } = registry.decode(KEY, Buffer.concat([veth, vrf]), "application/x-protobuf");
  t.deepEqual(value, { name: "veth1", vrf_dev: { routing_table: 10 } });
});

const transaction = {
  id: "a",
  description: "",
  atomic: true,
  dry_run: false,
  confirm_timeout: "",
  mode: "UPDATE",
  changes: [
    { key: KEY, value: { name: "veth1", type: "VETH" }, delete: false },
    { key: ROUTE_KEY, delete: true },
    { key: "config/acme/thing/x", value: { anything: [1, { goes: true }] }, delete: false },
  ],
};

test("the values of a transaction are packed as the messages of their keys, and of unknown keys as JSON", (t) => {
  const bytes = registry.encodeMessage("tenuto.v1.Transaction", transaction, "protobuf");
  const type = messages.find(({ fullName }) => fullName === ".tenuto.v1.Transaction")!;
  const { changes } = type.toObject(type.decode(bytes)) as { changes: { value?: { type_url: string } }[] };
  t.deepEqual(
    changes.map(({ value }) => value?.type_url),
    ["type.googleapis.com/ligato.linux.interfaces.Interface", undefined, "type.googleapis.com/tenuto.v1.JsonValue"],
  );
  t.deepEqual(registry.decodeMessage("tenuto.v1.Transaction", bytes, "application/x-protobuf"), transaction);
});

test("a value in a transaction may be given as the bytes of its key's message", (t) => {
  const value = registry.encode(KEY, { name: "veth1", type: "VETH" }, "protobuf");
  const changes = [{ key: KEY, value }, ...transaction.changes.slice(1)];
  t.deepEqual(registry.decodeMessage("tenuto.v1.Transaction", { ...transaction, changes }), transaction);
});

/** A transaction with one change, whose value claims to be of `message` and has these bytes. */
function packed(key: string, message: string, value: Uint8Array): object {
  const type = messages.find(({ fullName }) => fullName === ".tenuto.v1.Transaction")!;
  const any = { type_url: `type.googleapis.com/${message}`, value };
  const bytes = type.encode({ changes: [{ key, value: any }] }).finish();
  const { changes } = registry.decodeMessage<{ changes: { value: object }[] }>("tenuto.v1.Transaction", bytes);
  return changes[0]!.value;
}

test("a packed value that cannot be decoded leaves the transaction readable, and is refused with its key", (t) => {
  const error = refusal(() =>
    registry.decode(KEY, packed(KEY, "ligato.linux.interfaces.Interface", Buffer.from("hello"))),
  );
  t.is(error.code, "INVALID_PROTOBUF");
  t.is(error.key, KEY);
});

test("a packed value of another message than its key's is refused, and both are named", (t) => {
  const route = registry.encode(ROUTE_KEY, { dst_network: "10.1.0.0/16", outgoing_interface: "veth1" }, "protobuf");
  const error = refusal(() => registry.decode(KEY, packed(KEY, "ligato.linux.l3.Route", route)));
  t.is(error.code, "KEY_MISMATCH");
  t.regex(error.message, /is a ligato.linux.l3.Route, and should be a ligato.linux.interfaces.Interface/);
});

test("a packed value of a message that nobody knows is refused with its key", (t) => {
  const error = refusal(() => registry.decode(KEY, packed(KEY, "acme.Unheard", Buffer.from([]))));
  t.is(error.code, "KEY_MISMATCH");
  t.is(error.key, KEY);
});

test("JSON may say its message with @type, which must be the key's", (t) => {
  const named = (type: string) => registry.decode(KEY, { "@type": type, name: "veth1" }).value;
  t.deepEqual(named("type.googleapis.com/ligato.linux.interfaces.Interface"), { name: "veth1" });
  t.is(refusal(() => named("ligato.linux.l3.Route")).code, "KEY_MISMATCH");
});

test("an Any elsewhere carries its type in both encodings", (t) => {
  const value = { name: "a", extra: { "@type": "type.googleapis.com/acme.Sample", i64: "5" } };
  const bytes = samples.encodeMessage("acme.Sample", value, "protobuf");
  t.deepEqual(samples.decodeMessage("acme.Sample", bytes), value);
  t.deepEqual(samples.decodeMessage("acme.Sample", { ...value, extra: { ...value.extra, i64: 5 } }), value);
});

test("messages inside messages end somewhere", (t) => {
  let value: object = { name: "core" };
  for (let level = 0; level < 10_000; level++) value = { extra: { "@type": "acme.Sample", ...value } };
  t.is(refusal(() => samples.decodeMessage("acme.Sample", value)).code, "TOO_DEEP");
  t.deepEqual(samples.decodeMessage("acme.Sample", { name: "after" }), { name: "after" });
});
