import test from "ava";
import protobuf from "protobufjs";
import { TenutoError } from "#core/errors.js";
import { createModelRegistry } from "#core/model/index.js";
import { descriptor } from "#proto/generated/descriptor.js";
import { interfaceModel, models } from "#proto/index.js";
import { contractRegistry, refusal, sampleModel, sampleRegistry } from "./registries.js";

const VETH1 = "config/linux/interfaces/v2/interface/veth1";
const registry = contractRegistry();

/** Each kind of key of the contract, a value, and the name of its model. */
const values: readonly (readonly [key: string, value: object, model: string])[] = [
  [VETH1, { name: "veth1", type: "VETH" }, "linux.interfaces.interface"],
  ["config/linux/interfaces/v2/interface/a/b", { name: "a/b" }, "linux.interfaces.interface"],
  [
    "config/linux/l3/v2/route/10.1.0.0/16/veth1",
    { outgoing_interface: "veth1", dst_network: "10.1.0.0/16" },
    "linux.l3.route",
  ],
  ["config/linux/l3/v2/route/::/0/a/b", { outgoing_interface: "a/b", dst_network: "::/0" }, "linux.l3.route"],
  ["config/linux/l3/v2/route/10.0.0.0/8/blackhole", { dst_network: "10.0.0.0/8", type: "BLACKHOLE" }, "linux.l3.route"],
  [
    "config/linux/l3/v2/route/10.0.0.0/8/multipath",
    { dst_network: "10.0.0.0/8", next_hops: [{ outgoing_interface: "a" }, { outgoing_interface: "b" }] },
    "linux.l3.route",
  ],
  ["config/linux/l3/v2/arp/veth1/10.0.0.2", { interface: "veth1", ip_address: "10.0.0.2" }, "linux.l3.arp"],
  ["config/linux/l3/v2/rule/100", { priority: 100, table: 7 }, "linux.l3.rule"],
  [
    "config/linux/l2/v1/fdb/vx/02:00:00:00:00:0a;src_vni=7",
    { interface: "vx", hw_address: "02:00:00:00:00:0A", remotes: [{ address: "192.0.2.2" }], src_vni: 7 },
    "linux.l2.fdb",
  ],
  ["config/linux/ifmgr/v1/interface/eth1", { interface: "eth1" }, "linux.ifmgr.interface"],
];

for (const [key, value, model] of values) {
  test(`${key} holds a ${model}, and a ${model} has that key`, (t) => {
    t.deepEqual(registry.decode(key, value), { key, value });
    t.is(registry.forKey(key)?.name, model);
    t.is(registry.keyOf(model, value), key);
    t.is(registry.normaliseKey(key), key);
  });
}

/** Keys in another spelling. */
const spellings: readonly (readonly [written: string, key: string])[] = [
  [`/vnf-agent/t1/${VETH1}`, VETH1],
  [`/${VETH1}`, VETH1],
  ["/vnf-agent/t1/linux/config/v1/interface/veth1", VETH1],
  ["linux/config/v1/interface/veth1", VETH1],
  ["config/linux/l3/v2/route/10.1.2.3/16/veth1", "config/linux/l3/v2/route/10.1.0.0/16/veth1"],
  ["config/linux/l3/v2/route/FD00:0::1/64/veth1", "config/linux/l3/v2/route/fd00::/64/veth1"],
  ["config/linux/l3/v2/arp/veth1/FE80:0::1", "config/linux/l3/v2/arp/veth1/fe80::1"],
];

for (const [written, key] of spellings) {
  test(`${written} is the key ${key}`, (t) => {
    t.is(registry.normaliseKey(written), key);
  });
}

test("a value may be spelled like its key or otherwise, as long as both mean the same", (t) => {
  const route = { outgoing_interface: "veth1", dst_network: "10.1.2.3/16" };
  for (const network of ["10.1.2.3/16", "10.1.0.0/16", "10.1.9.9/16"]) {
    t.is(
      registry.decode(`config/linux/l3/v2/route/${network}/veth1`, route).key,
      "config/linux/l3/v2/route/10.1.0.0/16/veth1",
    );
  }
});

test("a key that contradicts its value is refused, and both are named", (t) => {
  const error = refusal(() => registry.decode(VETH1, { name: "veth2" }));
  t.is(error.code, "KEY_MISMATCH");
  t.is(error.key, VETH1);
  t.is(error.field, "name");
  const veth2 = "config/linux/interfaces/v2/interface/veth2";
  t.is(error.message, `${VETH1}: name: the value is named "veth2", so its key is ${veth2}`);
});

/** Values that lack what their key is made of. */
const nameless: readonly (readonly [key: string, value: object, field: string])[] = [
  [VETH1, {}, "name"],
  [VETH1, { name: "" }, "name"],
  ["config/linux/l3/v2/route/10.1.0.0/16/veth1", { outgoing_interface: "veth1" }, "dst_network"],
  ["config/linux/l3/v2/route/10.1.0.0/16/veth1", { dst_network: "10.1.0.0/16" }, "outgoing_interface"],
  ["config/linux/l3/v2/arp/veth1/10.0.0.2", { ip_address: "10.0.0.2" }, "interface"],
  ["config/linux/l3/v2/rule/100", { table: 7 }, "priority"],
  ["config/linux/ifmgr/v1/interface/eth1", {}, "interface"],
];

for (const [key, value, field] of nameless) {
  test(`${JSON.stringify(value)} under ${key} lacks ${field}, and the key does not stand in for it`, (t) => {
    const error = refusal(() => registry.decode(key, value));
    t.is(error.code, "MISSING_FIELD");
    t.is(error.field, field);
    t.is(error.message, `${key}: ${field}: is missing, and the key is made of it`);
  });
}

for (const key of [
  "config/vpp/v2/interfaces/x",
  "",
  "/",
  "/vnf-agent/t1/",
  "config/linux/interfaces/v2/interface/",
  "veth1",
]) {
  test(`"${key}" is no key of any model`, (t) => {
    const error = refusal(() => registry.normaliseKey(key));
    t.is(error.code, "UNKNOWN_KEY");
    t.is(error.key, key);
    t.is(refusal(() => registry.decode(key, {})).code, "UNKNOWN_KEY");
  });
}

test("a key of another agent is refused, and both agents are named", (t) => {
  const error = refusal(() => registry.decode(`/vnf-agent/t2/${VETH1}`, { name: "veth1" }));
  t.is(error.code, "FOREIGN_LABEL");
  t.regex(error.message, /for the agent t2, and this is t1/);
});

test("of two prefixes that a key begins with, the longer one counts", (t) => {
  const both = sampleRegistry();
  both.register({
    ...sampleModel,
    name: "acme.special",
    prefix: "config/acme/sample/special/",
    descriptor: undefined!,
  });
  t.is(both.forKey("config/acme/sample/x")?.name, "acme.sample");
  t.is(both.forKey("config/acme/sample/special/x")?.name, "acme.special");
  t.is(both.forKey("config/acme/sample/special")?.name, "acme.sample");
});

test("a model may bring its own message", (t) => {
  const own = sampleRegistry();
  const { value } = own.decode("config/acme/sample/x", { name: "x", colour: 2 });
  t.deepEqual(value, { name: "x", colour: "BLUE" });
  t.deepEqual(own.decode("config/acme/sample/x", own.encode("config/acme/sample/x", value, "protobuf")).value, value);
});

test("a message of another package may use Tenuto's, and repeat them", (t) => {
  const ligato = protobuf.Root.fromJSON(descriptor);
  const text = `syntax = "proto3"; package acme;
    message Pair { string name = 1; ligato.linux.interfaces.Interface left = 2; }`;
  protobuf.parse(text, ligato, { keepCase: true });
  const own = contractRegistry();
  own.register({ ...sampleModel, message: "acme.Pair", descriptor: ligato.toJSON() });
  const value = { name: "x", left: { name: "veth1", type: "VETH" } };
  t.deepEqual(own.decode("config/acme/sample/x", own.encode("config/acme/sample/x", value, "protobuf")).value, value);
});

test("what a plugin of one agent brings along, another agent does not know", (t) => {
  sampleRegistry();
  t.throws(() => contractRegistry().decodeMessage("acme.Sample", {}), { message: /no message is called acme.Sample/ });
});

test("models are listed in the order they were registered in", (t) => {
  t.deepEqual(
    registry.models().map(({ name }) => name),
    models.map(({ name }) => name),
  );
  t.deepEqual(createModelRegistry({ label: "t1" }).models(), []);
});

/** Registrations that are mistakes of whoever wrote the plugin. */
const mistakes: readonly (readonly [what: string, model: object, code: string])[] = [
  ["a name that is taken", { prefix: "config/other/" }, "DUPLICATE_MODEL"],
  ["a prefix that is taken", { name: "other" }, "DUPLICATE_MODEL"],
  ["a prefix without slash at its end", { name: "other", prefix: "config/other" }, "BAD_PREFIX"],
  ["a message that does not exist", { name: "other", prefix: "config/other/", message: "acme.No" }, "UNKNOWN_MESSAGE"],
];

for (const [what, model, code] of mistakes) {
  test(`a model with ${what} is a bug`, (t) => {
    const error = t.throws(() => contractRegistry().register({ ...interfaceModel, ...model }), {
      instanceOf: TenutoError,
    });
    t.is(error.kind, "bug");
    t.is(error.code, code);
  });
}

test("the key of a model that nobody registered is refused, and those that are there are named", (t) => {
  const error = refusal(() => registry.keyOf("linux.l2.bridge", {}));
  t.is(error.code, "UNKNOWN_MODEL");
  t.regex(error.message, /linux\.l3\.route/);
});

test("a message that does not exist is a bug of whoever asks for it", (t) => {
  const error = t.throws(() => registry.decodeMessage("acme.No", {}), { instanceOf: TenutoError });
  t.is(error.kind, "bug");
});

test("the beginning of keys may have any form that a whole key may have", (t) => {
  const own = "config/linux/interfaces/v2/interface/";
  for (const [written, prefix] of [
    [`/vnf-agent/t1/${own}eth`, `${own}eth`],
    ["/vnf-agent/t1/linux/config/v1/interface/eth", `${own}eth`],
    [`/${own}`, own],
    ["linux/interface/state", "linux/interface/state"],
    ["/vnf-agent/t1/", ""],
    ["", ""],
  ] as const) {
    t.is(registry.normalisePrefix(written), prefix, written);
  }
  t.is(refusal(() => registry.normalisePrefix("/vnf-agent/t2/")).code, "FOREIGN_LABEL");
});
