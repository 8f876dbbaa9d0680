import test from "ava";
import { ownerOf } from "#plugins/ifmgr/ownership.js";
import { arpKey, type Interface, interfaceKey, type Route, type Rule, routeKey, ruleKey } from "#proto/index.js";

/** eth1 and eth2 are registered; uplink and backup are how the configuration calls them. */
const interfaces: readonly Interface[] = [
  { name: "uplink", type: "EXISTING", host_if_name: "eth1" },
  { name: "backup", type: "EXISTING", host_if_name: "eth2" },
  { name: "eth1", type: "EXISTING", host_if_name: "eth7" },
  { name: "elsewhere", type: "EXISTING", host_if_name: "eth1", namespace: { type: "NSID", reference: "blue" } },
  { name: "free", type: "EXISTING", host_if_name: "eth9" },
  { name: "made", type: "VETH", host_if_name: "eth2", veth: { peer_if_name: "other" } },
  { name: "tagged", type: "VLAN", vlan: { lower_interface: "uplink", id: 7 } },
  { name: "tagged-twice", type: "VLAN", vlan: { lower_interface: "tagged", id: 8 } },
  { name: "copy", type: "MACVLAN", macvlan: { lower_interface: "backup" } },
  { name: "share", type: "IPVLAN", ipvlan: { lower_interface: "tagged-twice" } },
  { name: "bound", type: "VXLAN", vxlan: { vni: 1, underlay_interface: "backup" } },
  { name: "loose", type: "VXLAN", vxlan: { vni: 2 } },
  { name: "round", type: "VLAN", vlan: { lower_interface: "about", id: 1 } },
  { name: "about", type: "VLAN", vlan: { lower_interface: "round", id: 1 } },
  { name: "orphan", type: "VLAN", vlan: { lower_interface: "nobody", id: 1 } },
];
const desired = new Map(interfaces.map((value) => [interfaceKey(value.name ?? ""), value]));
const view = {
  desired: (key: string) => desired.get(key),
  isRegistered: (hostName: string) => hostName === "eth1" || hostName === "eth2",
};

const OWNERS: Readonly<Record<string, string | undefined>> = {
  uplink: "eth1",
  backup: "eth2",
  eth1: undefined,
  elsewhere: undefined,
  free: undefined,
  made: undefined,
  tagged: "eth1",
  "tagged-twice": "eth1",
  copy: "eth2",
  share: "eth1",
  bound: "eth2",
  loose: undefined,
  round: undefined,
  about: undefined,
  orphan: undefined,
};

for (const value of interfaces) {
  const { name = "" } = value;
  test(`interface ${name} belongs to ${OWNERS[name] ?? "none"}`, (t) => {
    t.is(ownerOf(view, interfaceKey(name), value), OWNERS[name]);
  });
}

function routeOwner(value: Route): string | undefined {
  return ownerOf(view, routeKey("10.0.0.0/8", value.outgoing_interface ?? "multipath"), value);
}

test("a route belongs to the interface that it leaves by", (t) => {
  t.is(routeOwner({ outgoing_interface: "tagged" }), "eth1");
  t.is(routeOwner({ outgoing_interface: "made" }), undefined);
  t.is(routeOwner({ outgoing_interface: "nobody" }), undefined);
  t.is(routeOwner({ type: "BLACKHOLE" }), undefined);
});

test("a route with several next hops belongs to the first that is registered", (t) => {
  t.is(routeOwner({ next_hops: [{ outgoing_interface: "free" }, { outgoing_interface: "copy" }] }), "eth2");
});

test("neighbour entries and rules belong to the interface that they name", (t) => {
  t.is(ownerOf(view, arpKey("uplink", "10.0.0.1"), { interface: "uplink" }), "eth1");
  const ruleOwner = (value: Rule) => ownerOf(view, ruleKey(100), value);
  t.is(ruleOwner({ in_interface: "backup" }), "eth2");
  t.is(ruleOwner({ out_interface: "share" }), "eth1");
  t.is(ruleOwner({ in_interface: "free" }), undefined);
  t.is(ruleOwner({}), undefined);
});

test("values of other kinds belong to none", (t) => {
  t.is(ownerOf(view, "config/linux/ifmgr/v1/interface/eth1", { interface: "eth1" }), undefined);
  t.is(ownerOf(view, "config/something/else", { interface: "uplink" }), undefined);
});
