import test from "ava";
import { asFound, differences } from "#cli/difference.js";

const veth = {
  name: "veth1",
  type: "VETH",
  mtu: 1500,
  ip_addresses: ["10.0.0.1/24", "fd00::1/64"],
  veth: { peer_if_name: "veth2" },
};

const CASES = [
  { claim: "equal values are no difference", desired: veth, found: veth, fields: [] },
  {
    claim: "what nobody asked for is no difference",
    desired: veth,
    found: { ...veth, phys_address: "02:00:00:00:00:01" },
    fields: [],
  },
  {
    claim: "a yes that nobody said is",
    desired: veth,
    found: { ...veth, enabled: true },
    fields: [{ field: "enabled", desired: undefined, found: true }],
  },
  {
    claim: "a list that nobody asked for is",
    desired: { name: "veth1" },
    found: { name: "veth1", ip_addresses: ["10.0.0.1/24"] },
    fields: [{ field: "ip_addresses", desired: undefined, found: ["10.0.0.1/24"] }],
  },
  {
    claim: "the order of addresses is no difference",
    desired: veth,
    found: { ...veth, ip_addresses: ["fd00::1/64", "10.0.0.1/24"] },
    fields: [],
  },
  {
    claim: "another MTU is",
    desired: veth,
    found: { ...veth, mtu: 9000 },
    fields: [{ field: "mtu", desired: 1500, found: 9000 }],
  },
  {
    claim: "a field inside a message is named by its path",
    desired: veth,
    found: { ...veth, veth: { peer_if_name: "other" } },
    fields: [{ field: "veth.peer_if_name", desired: "veth2", found: "other" }],
  },
  {
    claim: "a field that is not there was found as nothing",
    desired: veth,
    found: { name: "veth1", type: "VETH", mtu: 1500, ip_addresses: veth.ip_addresses },
    fields: [{ field: "veth", desired: veth.veth, found: undefined }],
  },
];

for (const { claim, desired, found, fields } of CASES) {
  test(claim, (t) => {
    const expected = fields.length === 0 ? [] : [{ key: "k", difference: "different" as const, fields }];
    t.deepEqual(differences([{ key: "k", value: desired }], [{ key: "k", value: found }], "choice"), expected);
    t.deepEqual(
      differences([{ key: "k", value: asFound(desired, fields) }], [{ key: "k", value: found }], "choice"),
      [],
    );
  });
}

test("keys that only one side has are missing or extra, and come in key order", (t) => {
  const found = differences(
    [{ key: "b", value: {} }],
    [
      { key: "c", value: {} },
      { key: "a", value: {} },
    ],
    "default",
  );
  t.deepEqual(
    found.map(({ key, difference }) => `${difference} ${key}`),
    ["extra a", "missing b", "extra c"],
  );
});

test("between two values that somebody wrote, a field that only one of them has is a difference", (t) => {
  const [difference] = differences(
    [{ key: "k", value: veth }],
    [{ key: "k", value: { ...veth, phys_address: "02::" } }],
    "default",
  );
  t.deepEqual(difference?.fields, [{ field: "phys_address", desired: undefined, found: "02::" }]);
});
