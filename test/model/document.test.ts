import test from "ava";
import { parse } from "yaml";
import { changesFromDocument } from "#core/model/index.js";
import { contractRegistry, refusal } from "./registries.js";

const registry = contractRegistry();
const VETH1 = "config/linux/interfaces/v2/interface/veth1";

const read = (yaml: string) => changesFromDocument(parse(yaml), registry);

test("a transaction stays one, without what has its default value", (t) => {
  const transaction = read(`
    description: a veth pair
    atomic: true
    dryRun: false
    confirmTimeout: 60s
    mode: REPLACE
    changes:
      - {key: ${VETH1}, value: {name: veth1, type: VETH}}
      - {key: config/linux/l3/v2/rule/5, delete: true}`);
  t.deepEqual(transaction, {
    description: "a veth pair",
    atomic: true,
    confirm_timeout: "60s",
    mode: "REPLACE",
    changes: [
      { key: VETH1, value: { name: "veth1", type: "VETH" } },
      { key: "config/linux/l3/v2/rule/5", delete: true },
    ],
  });
});

test("a list of changes is a transaction", (t) => {
  t.deepEqual(read(`[{key: ${VETH1}, value: {name: veth1}}]`), { changes: [{ key: VETH1, value: { name: "veth1" } }] });
});

test("what Ligato writes is a transaction", (t) => {
  const transaction = read(`
    linuxConfig:
      routes:
        - {dstNetwork: 0.0.0.0/0, outgoingInterface: veth1, gwAddr: 10.0.0.254}
      interfaces:
        - name: veth1
          type: VETH
          veth: {peerIfName: veth2, rxChecksumOffloading: CHKSM_OFFLOAD_DISABLED}
      arp_entries:
        - {interface: veth1, ip_address: 10.0.0.2, hw_address: "02:00:00:00:00:02"}
      forwarding_entries: [{interface: veth1, hw_address: "02:00:00:00:00:0A", vlan: 7}]
      rules: [{priority: 100, table: 7}]`);
  t.deepEqual(transaction, {
    changes: [
      {
        key: VETH1,
        value: { name: "veth1", type: "VETH", veth: { peer_if_name: "veth2", rx_checksum_offloading: "DISABLED" } },
      },
      {
        key: "config/linux/l3/v2/arp/veth1/10.0.0.2",
        value: { interface: "veth1", ip_address: "10.0.0.2", hw_address: "02:00:00:00:00:02" },
      },
      {
        key: "config/linux/l3/v2/route/0.0.0.0/0/veth1",
        value: { outgoing_interface: "veth1", dst_network: "0.0.0.0/0", gw_addr: "10.0.0.254" },
      },
      { key: "config/linux/l3/v2/rule/100", value: { priority: 100, table: 7 } },
      {
        key: "config/linux/l2/v1/fdb/veth1/02:00:00:00:00:0a;vlan=7",
        value: { interface: "veth1", hw_address: "02:00:00:00:00:0A", vlan: 7 },
      },
    ],
  });
});

test("linux_config is another spelling, and a section may be empty", (t) => {
  t.deepEqual(read("linux_config: {interfaces: [{name: veth1}]}"), {
    changes: [{ key: VETH1, value: { name: "veth1" } }],
  });
  t.deepEqual(read("linuxConfig:"), { changes: [] });
});

test("values of changes are left as they are: a bad one is for the decoder to report with its key", (t) => {
  t.deepEqual(read("[{key: a/b, value: {anything: [1]}}]"), { changes: [{ key: "a/b", value: { anything: [1] } }] });
});

/** Documents that stand for nothing. */
const refused: readonly (readonly [yaml: string, field: string | undefined, problem: RegExp])[] = [
  ["just text", undefined, /expected a transaction .* got "just text"/],
  ["", undefined, /expected a transaction .* got null/],
  ["linxConfig: {}", "linxConfig", /linxConfig is not known here; did you mean linuxConfig\?/],
  ["vppConfig: {}", "vppConfig", /vppConfig is not known here/],
  ["linuxConfig: [1]", "linuxConfig", /linuxConfig: expected an object, got \[1\]/],
  ["linuxConfig: yes please", "linuxConfig", /linuxConfig: expected an object, got "yes please"/],
  ["linuxConfig: {interface: []}", "linuxConfig.interface", /no such field in ConfigData; did you mean interfaces\?/],
  ["linuxConfig: {interfaces: {name: a}}", "linuxConfig.interfaces", /expected a list/],
  ["linuxConfig: {interfaces: [{name: a}, {nam: b}]}", "linuxConfig.interfaces[1].nam", /did you mean name\?/],
  [
    "linuxConfig: {interfaces: [{type: VETH}]}",
    "linuxConfig.interfaces[0].name",
    /is missing, and the key is made of it/,
  ],
  ["[{key: a, valu: {}}]", "changes[0].valu", /did you mean value\?/],
  ["[{key: a, value: 3}]", "changes[0].value", /expected an object, got 3/],
  ["{changes: [], atomc: true}", "atomc", /did you mean atomic\?/],
  ["{changes: [], mode: replace}", "mode", /"replace" is not one of UPDATE, REPLACE; did you mean REPLACE\?/],
];

for (const [yaml, field, problem] of refused) {
  test(`the document "${yaml}" is refused`, (t) => {
    const error = refusal(() => read(yaml));
    t.is(error.field, field);
    t.regex(error.message, problem);
  });
}
