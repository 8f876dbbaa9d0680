/** What people who configure links ran into, of types that not every kernel has. */
import test, { type ExecutionContext } from "ava";
import { type Interface, interfaceKey } from "#proto/index.js";
import { eventually } from "#test/support/eventually.js";
import { ip, link, run } from "#test/support/sandbox.js";
import { NetworkAgent, operations, states, wantInterface } from "./support/network.js";

type Named = Interface & { readonly name: string };

let agent: NetworkAgent;
test.before(async () => {
  agent = await NetworkAgent.start("cases");
});
test.afterEach.always(async () => {
  await agent.resync();
});
test.after.always(() => agent.close());

async function apply(t: ExecutionContext, ...values: readonly Named[]): Promise<void> {
  const record = await agent.commit(...values.map(wantInterface));
  t.is(record.error, "", JSON.stringify(states(record)));
  t.deepEqual(operations(await agent.scheduler.resyncDownstream()), []);
}

const dummy = (name: string): Named => ({ name, type: "DUMMY", enabled: true });
const far = (name: string) => ({ namespace: { type: "NSID", reference: name }, enabled: true }) as const;
const dataOf = async (name: string) => (await link(name))?.linkinfo?.info_data ?? {};

test.serial("a VLAN above a bridge gets its packets when the bridge has that VLAN itself (nmstate#2769)", async (t) => {
  const bridge = (self?: NonNullable<Interface["bridge"]>["self"]): Named => ({
    name: "br0",
    type: "BRIDGE",
    enabled: true,
    bridge: {
      vlan_filtering: true,
      ports: [
        { interface: "trunk", vlans: [{ first: 10 }] },
        { interface: "acc", pvid: 10 },
      ],
      ...(self && { self }),
    },
  });
  await apply(
    t,
    bridge({ vlans: [{ first: 10 }] }),
    { name: "trunk", type: "VETH", enabled: true, veth: { peer_if_name: "trunk-far" } },
    { name: "trunk-far", type: "VETH", ...far("trunk"), veth: { peer_if_name: "trunk" } },
    {
      name: "far.10",
      type: "VLAN",
      ...far("trunk"),
      ip_addresses: ["10.10.0.2/24"],
      vlan: { lower_interface: "trunk-far", id: 10 },
    },
    { name: "acc", type: "VETH", enabled: true, veth: { peer_if_name: "acc-far" } },
    { name: "acc-far", type: "VETH", ...far("acc"), ip_addresses: ["10.10.0.3/24"], veth: { peer_if_name: "acc" } },
    {
      name: "br0.10",
      type: "VLAN",
      enabled: true,
      ip_addresses: ["10.10.0.1/24"],
      vlan: { lower_interface: "br0", id: 10 },
    },
  );
  const reaches = async (address: string): Promise<boolean> =>
    (await run(["ping", "-c1", "-W1", address]).catch(() => "")).includes(" 0% packet loss");
  await eventually(() => reaches("10.10.0.2"));
  await eventually(() => reaches("10.10.0.3"));
  await run(["bridge", "vlan", "del", "dev", "br0", "vid", "10", "self"]);
  await eventually(async () => (await run(["bridge", "vlan", "show", "dev", "br0"])).includes("10"));
  await run(["bridge", "vlan", "add", "dev", "acc", "vid", "77"]);
  await eventually(async () => !(await run(["bridge", "vlan", "show", "dev", "acc"])).includes("77"));
  await apply(t, bridge());
  t.false((await run(["bridge", "vlan", "show", "dev", "br0"])).includes("10"));
});

test.serial(
  "two IPVLANs of one lower link have one mode and one isolation: another is refused (lxd#7196)",
  async (t) => {
    const ipvlan = (name: string, part: Interface["ipvlan"]): Named => ({
      name,
      type: "IPVLAN",
      enabled: true,
      ipvlan: { lower_interface: "low", ...part },
    });
    for (const [one, other] of [
      [{ mode: "L2" }, { mode: "L3" }],
      [{}, { isolation: "PRIVATE" }],
    ] as const) {
      for (const together of [true, false]) {
        const values = [dummy("low"), ipvlan("i1", one), ipvlan("i2", other)].map(wantInterface);
        if (together) await agent.commit(...values);
        else for (const each of values) await agent.commit(each);
        const found = [agent.status(interfaceKey("i1")), agent.status(interfaceKey("i2"))];
        t.deepEqual(
          found.map(({ state }) => state),
          ["CONFIGURED", "FAILED"],
        );
        t.regex(found[1]!.error, /low has mode L2 and isolation BRIDGE .* as i1 wants it; i2 wants/);
        t.like(await dataOf("i1"), { mode: "l2" });
        await agent.resync();
      }
    }
    await apply(t, dummy("low"), ipvlan("i1", {}), ipvlan("i2", {}));
    await apply(t, ipvlan("i1", { mode: "L3" }), ipvlan("i2", { mode: "L3" }));
    t.like(await dataOf("i2"), { mode: "l3" });
  },
);

test.serial("a bond that balances by load prefers a port (linux-system-roles/network#452)", async (t) => {
  const bond = { mode: "BALANCE_ALB", miimon: 100, primary: "s1", ports: ["s1", "s2"] } as const;
  await apply(t, { name: "bond0", type: "BOND", enabled: true, bond }, dummy("s1"), dummy("s2"));
  t.like(await dataOf("bond0"), { mode: "balance-alb", primary: "s1" });
});

test.serial("what is taken out of a bond is as if it had never been there (vfd#152)", async (t) => {
  const bond = (part: Interface["bond"]): Named => ({
    name: "bond0",
    type: "BOND",
    enabled: true,
    bond: { ports: ["s1"], ...part },
  });
  await apply(
    t,
    bond({ mode: "ACTIVE_BACKUP", miimon: 100, up_delay: 400, down_delay: 300, min_links: 1 }),
    dummy("s1"),
  );
  const before = (await link("bond0"))!.ifindex;
  await apply(t, bond({ mode: "ACTIVE_BACKUP" }));
  t.like(await dataOf("bond0"), { miimon: 0, updelay: 0, downdelay: 0, min_links: 0 });
  t.is((await link("bond0"))!.ifindex, before);
});

test.serial("tunnels over IPv6 are read back as they were set, and stay the same links", async (t) => {
  const values: readonly Named[] = [
    { name: "gn", type: "GENEVE", enabled: true, geneve: { vni: 6, remote: "2001:db8::2", udp_checksum: true } },
    {
      name: "g6",
      type: "GRE",
      enabled: true,
      gre: { local: "2001:db8::1", remote: "2001:db8::2", path_mtu_discovery: false },
    },
    {
      name: "t6",
      type: "GRE",
      enabled: true,
      gre: { mode: "TAP", local: "2001:db8::1", remote: "2001:db8::3", path_mtu_discovery: false },
    },
  ];
  await apply(t, ...values);
  const indexes = async () => (await ip<{ ifindex: number }>("link", "show")).map(({ ifindex }) => ifindex);
  const before = await indexes();
  await apply(t, ...values);
  t.deepEqual(await indexes(), before);
  for (const { name } of values) t.is(agent.status(interfaceKey(name)).state, "CONFIGURED");
});
