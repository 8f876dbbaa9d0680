/**
 * An independent reader of the kernel: what iproute2 sees of the interfaces of an agent, in the words of the model, next to what the
 * agent itself reads back.
 */
import { readdir } from "node:fs/promises";
import type { ExecutionContext } from "ava";
import type { Drift } from "#core/scheduler/index.js";
import { INTERFACE_PREFIX, type Interface } from "#proto/index.js";
import { addressesOf, ip, type LinkView, links } from "#test/support/sandbox.js";
import type { NetworkAgent } from "./network.js";
import { type Data, READERS } from "./witness-parts.js";

/** What iproute2 says of links besides what most tests look at. */
interface View extends LinkView {
  readonly link_index?: number;
  readonly link_netnsid?: number;
  readonly linkinfo?: LinkView["linkinfo"] & { readonly info_slave_kind?: string; readonly info_slave_data?: Data };
}

/** Links by namespace; the sandbox's own has the empty name. */
type World = ReadonlyMap<string, readonly View[]>;

/**
 * Holds every interface that the agent reads back against what iproute2 sees: name, type and everything of the type's own, MTU,
 * MAC address, up or down, addresses, VRF, peer, lower interface and members. Addresses of its own links must all be the agent's. Then the
 * agent reads everything anew, and each value by itself: of `alone`, where that is said, since reading thirty takes longer than all else.
 */
export async function agrees(
  t: ExecutionContext,
  agent: NetworkAgent,
  when = "",
  alone?: readonly string[],
): Promise<void> {
  const read = await agent.scheduler.dump("southbound", INTERFACE_PREFIX);
  await isSeen(t, agent.label, read, when);
  t.deepEqual(
    await drifts(agent, alone),
    [],
    `${when}read anew, together and one by one, everything is as the agent knows it`,
  );
}

/** Holds what an agent with this label reads back of its interfaces against what iproute2 sees. */
export async function isSeen(
  t: ExecutionContext,
  label: string,
  read: readonly { readonly value: Interface }[],
  when = "",
): Promise<void> {
  const values = read.map(({ value }) => value);
  const world = await look();
  for (const value of values) {
    const place = (value.namespace?.reference ?? "").replace("/run/netns/", "");
    const view = world.get(place)?.find(({ ifname }) => ifname === (value.host_if_name ?? value.name));
    const seen = view && (await witnessed(view, place, value, world, label));
    t.deepEqual(comparable(value, values), seen, `${when}${value.name}`);
  }
  const marked = [...world.values()].flat().filter((view) => nameOf(view, label) !== undefined);
  t.is(marked.length, values.filter(({ type = "" }) => !FOREIGN.has(type)).length, `${when}links with a mark`);
}

/** What the agent takes for drift when it reads everything anew, and values by themselves. */
async function drifts({ scheduler }: NetworkAgent, alone?: readonly string[]): Promise<readonly Drift[]> {
  const told: Drift[] = [];
  const unwatch = scheduler.watchDrift((found) => told.push(...found));
  const keys = scheduler.statuses().map(({ key }) => key);
  for (const some of [keys, ...(alone ?? keys).map((key) => [key])]) await scheduler.refresh(some, "witness", "report");
  unwatch();
  return told;
}

/** Types whose links somebody else has made, and that have no mark. */
const FOREIGN: ReadonlySet<string> = new Set(["EXISTING", "LOOPBACK", "TAP_TO_VPP"]);

async function look(): Promise<World> {
  const names = await readdir("/run/netns").catch(() => []);
  const own = ["", await links()] as const;
  // One that nothing needs any more may go in the meantime.
  const others = names.map(async (namespace) => [namespace, await links({ namespace }).catch(() => [])] as const);
  return new Map<string, readonly View[]>([own, ...(await Promise.all(others))]);
}

async function witnessed(
  view: View,
  place: string,
  { name = "", type = "UNDEFINED", namespace, ip_addresses: own = [] }: Interface,
  world: World,
  label: string,
): Promise<Interface> {
  const here = world.get(place) ?? [];
  const logical = (hostName: unknown) => nameOf(here.find(({ ifname }) => ifname === hostName) ?? {}, label);
  const foreign = FOREIGN.has(type);
  const read = foreign ? undefined : READERS[view.linkinfo?.info_kind ?? ""];
  const members = here.flatMap((each) => {
    const member = each.master === view.ifname ? nameOf(each, label) : undefined;
    return member === undefined ? [] : [{ ...each.linkinfo?.info_slave_data, name: member }];
  });
  // Those that others put on a link of theirs are theirs.
  const addresses = addressesOf(view).filter((address) => !foreign || own.includes(address));
  const { info_slave_kind: slaveKind, info_slave_data: slave } = view.linkinfo ?? {};
  const vrf = slaveKind === "vrf" ? logical(view.master) : undefined;
  // A bond gives its ports its own.
  const address = slaveKind === "bond" ? String(slave?.perm_hwaddr) : (view.address ?? "");
  return {
    ...(foreign ? { type } : {}),
    ...read?.({
      view,
      data: view.linkinfo?.info_data ?? {},
      linked: await linkedName(view, place, world, label),
      underlay: await linkedName({ ...view, ...underlayOf(view, here) }, place, world, label),
      members: members.sort((a, b) => (a.name < b.name ? -1 : 1)),
      nameOf: logical,
    }),
    name: foreign ? name : (nameOf(view, label) ?? ""),
    host_if_name: view.ifname,
    mtu: view.mtu,
    ip_addresses: addresses,
    ...(namespace === undefined ? {} : { namespace }),
    ...(view.flags.includes("UP") ? { enabled: true } : {}),
    ...(/^([0-9a-f]{2}:){5}/.test(address) && !/^[0:]+$/.test(address) ? { phys_address: address } : {}),
    ...(vrf === undefined ? {} : { vrf_master_interface: vrf }),
  };
}

/** The logical name of the link that a link is joined to or stands on, which may be in another namespace. */
async function linkedName(view: View, place: string, world: World, label: string): Promise<string | undefined> {
  const { link, link_index: index, link_netnsid: id } = view;
  if (id === undefined) {
    const found = world.get(place)?.find(({ ifname }) => ifname === link);
    return found && nameOf(found, label);
  }
  const options = place === "" ? {} : { namespace: place };
  const ids = await ip<{ readonly nsid: number; readonly name?: string }>("netns", "list-id", options);
  const there = ids.find(({ nsid }) => nsid === id)?.name ?? "";
  const found = world.get(there)?.find(({ ifindex }) => ifindex === index);
  return found && nameOf(found, label);
}

/** What a tunnel leaves by. Of one in another namespace iproute2 prints what it takes for a name: that of the same index here. */
function underlayOf({ linkinfo }: View, here: readonly View[]): Pick<View, "link" | "link_index"> {
  const name = String(linkinfo?.info_data?.link ?? "");
  const index = here.find(({ ifname }) => ifname === name)?.ifindex ?? Number(/^if(\d+)$/.exec(name)?.[1] ?? 0);
  return { link: name, link_index: index };
}

function nameOf({ ifalias }: { readonly ifalias?: string }, label: string): string | undefined {
  const mark = `tenuto:${label}:`;
  return ifalias?.startsWith(mark) ? ifalias.slice(mark.length) : undefined;
}

/** What the agent read, without what iproute2 does not tell and with every default name and every address in its place. */
function comparable(value: Interface, all: readonly Interface[]): Interface {
  const {
    unnumbered,
    link_only: _linkOnly,
    wireguard: _wireguard,
    // They are no part of a link to iproute2.
    ipv4: _ipv4,
    ipv6: _ipv6,
    veth,
    bridge: whole,
    bond,
    ip_addresses: own = [],
    ...rest
  } = value;
  // VLANs are `bridge vlan` to tell.
  const { self: _self, ...bridge } = whole ?? {};
  const donor = all.find(({ name }) => unnumbered !== undefined && name === unnumbered);
  const lent = (donor?.ip_addresses ?? []).map((each) => each.replace(/\/.*/, each.includes(":") ? "/128" : "/32"));
  return {
    ...rest,
    host_if_name: value.host_if_name ?? value.name ?? "",
    ip_addresses: [...own, ...lent].sort(),
    ...(veth === undefined ? {} : { veth: { peer_if_name: veth.peer_if_name ?? "" } }),
    ...(whole === undefined ? {} : { bridge: { ...bridge, ...sortedPorts(bridge) } }),
    ...(bond === undefined ? {} : { bond: { ...bond, ...(bond.ports && { ports: [...bond.ports].sort() }) } }),
  };
}

/** Costs depend on the speed, and VLANs are iproute2's `bridge vlan` to tell. */
function sortedPorts({ ports }: NonNullable<Interface["bridge"]>): Pick<NonNullable<Interface["bridge"]>, "ports"> {
  if (ports === undefined) return {};
  const plain = ports.map(({ path_cost: _cost, pvid: _pvid, vlans: _vlans, ...port }) => port);
  return { ports: plain.sort((a, b) => ((a.interface ?? "") < (b.interface ?? "") ? -1 : 1)) };
}
