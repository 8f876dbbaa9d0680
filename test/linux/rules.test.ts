import test from "ava";
import { type Interface, RULE_PREFIX, type Rule } from "#proto/index.js";
import { eventually } from "#test/support/eventually.js";
import { createNamespace, deleteNamespace, type IpOptions, ip, run } from "#test/support/sandbox.js";
import { dropInterface, NetworkAgent, operations, states, wantInterface, wantRule } from "./support/network.js";

type View = Readonly<Record<string, unknown>>;

const INSIDE = { namespace: "ruled" };
const place = { namespace: { type: "NSID", reference: "ruled" } } as const;
const gate = wantInterface({
  ...place,
  name: "gate",
  type: "VETH",
  host_if_name: "gate0",
  enabled: true,
  veth: { peer_if_name: "gate-far" },
});
const gateFar = wantInterface({ name: "gate-far", type: "VETH", enabled: true, veth: { peer_if_name: "gate" } });

/** Rules of ours, as iproute2 reads them. */
async function ours(options: IpOptions = INSIDE): Promise<readonly View[]> {
  const all = [
    ...(await ip("-4", "-details", "rule", "show", options)),
    ...(await ip("-6", "-details", "rule", "show", options)),
  ];
  return all.filter(({ protocol }) => protocol === "199");
}

let agent: NetworkAgent;
test.beforeEach(async () => {
  agent = await NetworkAgent.start("rules");
});
test.afterEach.always(async () => {
  await agent.resync();
  await agent.close();
});

const rules: Readonly<Record<string, { readonly value: Rule; readonly seen: View }>> = {
  "from a network to a table": {
    value: { src_network: "10.1.0.0/16", table: 100 },
    seen: { src: "10.1.0.0", srclen: 16, table: "100" },
  },
  "to an IPv6 network": { value: { dst_network: "fd00:1::/32", table: 101 }, seen: { dst: "fd00:1::", dstlen: 32 } },
  "everything IPv6": { value: { family: "IPV6", table: 102 }, seen: { src: "all", table: "102" } },
  "what comes in by an interface": {
    value: { in_interface: "gate", out_interface: "gate", table: 70_000 },
    seen: { iif: "gate0", oif: "gate0", table: "70000" },
  },
  "a firewall mark": { value: { fw_mark: 5, table: 100 }, seen: { fwmark: "0x5" } },
  "a firewall mark under a mask": {
    value: { fw_mark: 0x10, fw_mask: 0xf0, table: 100 },
    seen: { fwmark: "0x10", fwmask: "0xf0" },
  },
  "a protocol, its ports, and not": {
    value: {
      ip_protocol: 6,
      src_ports: { first: 1000, last: 2000 },
      dst_ports: { first: 80 },
      invert: true,
      table: 100,
    },
    seen: { not: null, ipproto: "tcp", sport_start: 1000, sport_end: 2000, dport: 80 },
  },
  "a type of service": { value: { tos: 16, table: 100 }, seen: { tos: "0x10" } },
  blackhole: { value: { src_network: "10.2.0.0/16", action: "BLACKHOLE" }, seen: { action: "blackhole" } },
  unreachable: { value: { src_network: "10.2.0.0/16", action: "UNREACHABLE" }, seen: { action: "unreachable" } },
  prohibit: { value: { src_network: "fd00:2::/32", action: "PROHIBIT" }, seen: { action: "prohibit" } },
  goto: { value: { src_network: "10.3.0.0/16", action: "GOTO", goto_priority: 32766 }, seen: { goto: 32766 } },
  "no default routes": {
    value: { table: 100, suppress_prefix_length: 0 },
    seen: { table: "100", suppress_prefixlen: 0 },
  },
};

for (const [what, { value, seen }] of Object.entries(rules)) {
  test.serial(`a rule: ${what}`, async (t) => {
    const rule = wantRule({ priority: 1000, ...value, ...place });
    const record = await agent.commit(gate, gateFar, rule);
    t.is(record.error, "", JSON.stringify(states(record)));
    const [view, ...more] = await ours();
    t.like(view, { priority: 1000, ...seen });
    t.is(more.length, 0);
    const [read] = await agent.scheduler.dump("southbound", RULE_PREFIX);
    t.deepEqual({ ...read?.value }, { priority: 1000, ...value, ...place });
    await agent.close();
    agent = await NetworkAgent.start("rules");
    t.deepEqual(operations(await agent.resync(gate, gateFar, rule)), []);
    await agent.commit([rule[0], undefined]);
    t.deepEqual(await ours(), []);
  });
}

test.serial("a rule is changed without a moment in which there is none", async (t) => {
  const rule = { priority: 1000, src_network: "10.1.0.0/16", table: 100, ...place } as const;
  await agent.commit(wantRule(rule));
  const record = await agent.commit(wantRule({ ...rule, table: 200 }));
  t.deepEqual(operations(record), [`UPDATE ${RULE_PREFIX}1000;namespace=nsid:ruled`]);
  t.like(await ours(), [{ table: "200" }]);
  t.is((await ours()).length, 1);
});

test.serial("a rule waits for its interface, and goes before it", async (t) => {
  const rule = wantRule({ priority: 1000, in_interface: "gate", table: 100, ...place });
  await agent.commit(rule);
  t.deepEqual(agent.status(rule[0]).details, ["interface gate"]);
  await agent.commit(gate, gateFar);
  t.like(await ours(), [{ iif: "gate0" }]);
  await agent.commit(dropInterface("gate"));
  t.is(agent.status(rule[0]).state, "PENDING");
  t.deepEqual(await ours(), []);
});

test.serial(
  "a rule comes after its interface, which moves to the rule's namespace in the same transaction",
  async (t) => {
    const [key, value] = gate;
    const home = wantRule({ priority: 1000, in_interface: "gate", table: 100 });
    const away = wantRule({ priority: 1000, in_interface: "gate", table: 100, ...place });
    const { namespace: _namespace, ...atHome } = value as Interface;
    await agent.commit([key, atHome], gateFar, home);
    t.like(await ours({}), [{ iif: "gate0" }]);
    const moved = await agent.scheduler.commit({ changes: [[home[0], undefined], away, gate], atomic: true });
    t.is(moved.error, "", JSON.stringify(states(moved)));
    t.like(await ours(), [{ iif: "gate0" }]);
    t.deepEqual(await ours({}), []);
    t.deepEqual(operations(await agent.scheduler.resyncDownstream()), []);
  },
);

test.serial("a rule about an interface of another namespace fails, with key and field", async (t) => {
  const rule = wantRule({ priority: 1000, in_interface: "gate-far", table: 100, ...place });
  const record = await agent.commit(gate, gateFar, rule);
  t.regex(
    states(record)[rule[0]] ?? "",
    /rule\/1000;namespace=nsid:ruled: in_interface: interface gate-far is not in namespace ruled/,
  );
});

test.serial("a foreign rule that says the same is not taken for ours, and stays", async (t) => {
  await createNamespace("foreign");
  const there = { namespace: "foreign" };
  const value = { priority: 1000, src_network: "10.1.0.0/16", table: 100 } as const;
  const rule = wantRule({ ...value, namespace: { type: "NSID", reference: "foreign" } });
  await run(["ip", "rule", "add", "priority", "1000", "from", "10.1.0.0/16", "table", "100"], there);
  const count = async () => (await ip("rule", "show", there)).filter(({ priority }) => priority === 1000).length;
  await agent.commit(rule);
  t.is(await count(), 2);
  await agent.resync();
  t.is(await count(), 1);
  await deleteNamespace("foreign");
});

test.serial("rules that are desired no more go with a resync, doubles of desired ones too", async (t) => {
  const stays = wantRule({ priority: 1000, src_network: "10.1.0.0/16", table: 100, ...place });
  await agent.commit(stays, wantRule({ priority: 1001, src_network: "10.2.0.0/16", table: 100, ...place }));
  await run(["ip", "rule", "add", "priority", "1000", "from", "10.9.0.0/16", "table", "9", "protocol", "199"], INSIDE);
  await agent.close();
  agent = await NetworkAgent.start("rules");
  await agent.resync(stays);
  t.like(await ours(), [{ priority: 1000, src: "10.1.0.0", table: "100" }]);
  t.is((await ours()).length, 1);
});

test.serial("a rule goes to pending with its namespace, and returns with it", async (t) => {
  await createNamespace("fleeting");
  const rule = wantRule({ priority: 1000, table: 100, namespace: { type: "NSID", reference: "fleeting" } });
  await agent.commit(rule);
  await deleteNamespace("fleeting");
  await eventually(() => agent.status(rule[0]).state === "PENDING");
  await createNamespace("fleeting");
  await eventually(() => agent.status(rule[0]).state === "CONFIGURED");
  t.is((await ours({ namespace: "fleeting" })).length, 1);
});

const refused: Readonly<Record<string, Rule>> = {
  table: { priority: 1 },
  src_network: { priority: 1, table: 1, src_network: "10.0.0.0" },
  dst_network: { priority: 1, table: 1, family: "IPV4", dst_network: "fd00::/8" },
  goto_priority: { priority: 10, action: "GOTO", goto_priority: 10 },
  "src_ports.last": { priority: 1, table: 1, src_ports: { first: 10, last: 9 } },
  "dst_ports.first": { priority: 1, table: 1, dst_ports: { last: 9 } },
  tos: { priority: 1, table: 1, tos: 256 },
  suppress_prefix_length: { priority: 1, action: "PROHIBIT", suppress_prefix_length: 0 },
  "namespace.reference": { priority: 1, table: 1, namespace: { type: "NSID", reference: "a/b" } },
};

for (const [field, value] of Object.entries(refused)) {
  test.serial(`an invalid rule names its field: ${field}`, async (t) => {
    const rule = wantRule({ priority: 1, ...value });
    t.true((states(await agent.commit(rule))[rule[0]] ?? "").startsWith(`INVALID: ${field}: `));
  });
}
