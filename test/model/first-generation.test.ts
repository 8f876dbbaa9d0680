import test from "ava";
import { contractRegistry, refusal } from "./registries.js";

const OLD = "/vnf-agent/t1/linux/config/v1/interface/veth1";
const NEW = "config/linux/interfaces/v2/interface/veth1";
const registry = contractRegistry();

test("an interface of the first generation becomes one of today, under today's key", (t) => {
  const old = {
    name: "veth1",
    description: "to the other side",
    type: 0,
    enabled: true,
    phys_address: "02:00:00:00:00:01",
    mtu: 1500,
    host_if_name: "eth0",
    ip_addresses: ["192.168.22.1/24"],
    linux_namespace: { type: 2, name: "ns1" },
    veth: { peer_if_name: "veth2" },
  };
  t.deepEqual(registry.decode(OLD, old), {
    key: NEW,
    value: {
      name: "veth1",
      type: "VETH",
      namespace: { type: "NSID", reference: "ns1" },
      enabled: true,
      ip_addresses: ["192.168.22.1/24"],
      phys_address: "02:00:00:00:00:01",
      mtu: 1500,
      host_if_name: "eth0",
      veth: { peer_if_name: "veth2" },
    },
  });
});

/** Namespaces of the first generation, and what they are called today. */
const namespaces: readonly (readonly [old: object, today: object | undefined])[] = [
  [
    { type: 0, pid: 42 },
    { type: "PID", reference: "42" },
  ],
  [{ pid: 42 }, { type: "PID", reference: "42" }],
  [
    { type: "PID_REF_NS", pid: 42 },
    { type: "PID", reference: "42" },
  ],
  [
    { type: 1, microservice: "web" },
    { type: "MICROSERVICE", reference: "web" },
  ],
  [
    { type: "MICROSERVICE", microservice: "web" },
    { type: "MICROSERVICE", reference: "web" },
  ],
  [
    { type: 2, name: "ns1" },
    { type: "NSID", reference: "ns1" },
  ],
  [
    { type: "NAMED_NS", name: "ns1" },
    { type: "NSID", reference: "ns1" },
  ],
  [
    { type: 3, filepath: "/proc/42/ns/net" },
    { type: "FD", reference: "/proc/42/ns/net" },
  ],
  [{}, undefined],
  [{ type: 0 }, undefined],
  [{ type: 2, name: "" }, undefined],
];

for (const [old, today] of namespaces) {
  for (const field of ["namespace", "linux_namespace", "linuxNamespace"]) {
    test(`${field} ${JSON.stringify(old)} is ${JSON.stringify(today) ?? "the agent's own"}`, (t) => {
      const { value } = registry.decode(OLD, { [field]: old });
      t.deepEqual(value, today ? { name: "veth1", type: "VETH", namespace: today } : { name: "veth1", type: "VETH" });
    });
  }
}

test("a name that is left out is the one in the key", (t) => {
  t.deepEqual(registry.decode(OLD, {}), { key: NEW, value: { name: "veth1", type: "VETH" } });
});

test("JSON text and the old message in protobuf are understood", (t) => {
  const json = Buffer.from('{"type": 0, "veth": {"peer_if_name": "veth2"}}');
  const bytes = registry.encodeMessage(
    "ligato.linux.v1.LinuxInterface",
    { veth: { peer_if_name: "veth2" } },
    "protobuf",
  );
  const value = { name: "veth1", type: "VETH", veth: { peer_if_name: "veth2" } };
  t.deepEqual(registry.decode(OLD, json), { key: NEW, value });
  t.deepEqual(registry.decode(OLD, bytes), { key: NEW, value });
});

test("what is encoded for an old key has today's form", (t) => {
  const value = { name: "veth1", type: "VETH", mtu: 1400 };
  t.deepEqual(registry.decode(NEW, registry.encode(OLD, value, "protobuf")).value, value);
});

/** Values that cannot be translated. */
const refused: readonly (readonly [value: object, code: string, field: string])[] = [
  [{ name: "veth2" }, "KEY_MISMATCH", "name"],
  [{ type: 1 }, "INVALID_FIELD", "type"],
  [{ type: 7 }, "UNKNOWN_ENUM_VALUE", "type"],
  [{ namespace: {}, linux_namespace: {} }, "INVALID_FIELD", "linux_namespace"],
  [{ namespace: { type: 1 } }, "MISSING_FIELD", "namespace.microservice"],
  [{ linux_namespace: { type: 3 } }, "MISSING_FIELD", "linux_namespace.filepath"],
  [{ vrf_master_interface: "red" }, "UNKNOWN_FIELD", "vrf_master_interface"],
];

for (const [value, code, field] of refused) {
  test(`${JSON.stringify(value)} is refused`, (t) => {
    const error = refusal(() => registry.decode(OLD, value));
    t.is(error.code, code);
    t.is(error.field, field);
    t.is(error.key, NEW);
  });
}
