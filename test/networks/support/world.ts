/** Everything that iproute2 sees of every namespace, without what changes by itself: two of them are the same when the networks are. */
import { readdir } from "node:fs/promises";
import { type IpOptions, run } from "#test/support/sandbox.js";

type Data = Readonly<Record<string, unknown>>;

/** A line for each thing: its namespace, what it is, and what iproute2 says of it. */
export type World = readonly string[];

/** Of a link, what is no counter, index or random address. */
const OF_LINK = ["ifname", "mtu", "ifalias", "altnames", "master", "link", "promiscuity"] as const;
/** Of the data of a type and of a port: times, and what a protocol or the kernel has found out (a cost by the speed). */
const PASSING =
  /timer|(bridge|root)_id|root_p|topology|_age_|ad_|hwaddr|designated|status|failure|active_port|^cost$|^(state|no|id)$|config_pending/;
const OF_ROUTE = [
  "type",
  "dst",
  "gateway",
  "via",
  "dev",
  "table",
  "protocol",
  "scope",
  "prefsrc",
  "metric",
  "nexthops",
  "metrics",
];

/** FIB_RULE_PREF of drivers/net/vrf.c. */
const VRF_RULE = 1000;

export async function look(): Promise<World> {
  const names = await readdir("/run/netns").catch(() => []);
  const places = [["the host", {}] as const, ...names.map((namespace) => [namespace, { namespace }] as const)];
  return (await Promise.all(places.map(([name, where]) => lines(name, where)))).flat().sort();
}

async function lines(place: string, where: IpOptions): Promise<readonly string[]> {
  const l3 = ["route show table all", "rule show", "neighbour show nud permanent", "netconf show"];
  const [links, four, six, vlans, entries] = await Promise.all([
    json(["ip", "-j", "-d", "address", "show"], where),
    batch("-4", l3, where),
    batch("-6", l3, where),
    json(["bridge", "-j", "vlan", "show"], where),
    json(["bridge", "-j", "fdb", "show"], where),
  ]);
  const both = (i: number): readonly Data[] => [...(four[i] ?? []), ...(six[i] ?? [])];
  const all: Readonly<Record<string, readonly unknown[]>> = {
    namespace: [{}],
    link: links.map(linkOf),
    route: both(0).filter(isChosen).map(routeOf),
    // The kernel makes one with the first VRF of a namespace, and never takes it away (drivers/net/vrf.c, vrf_add_fib_rules).
    rule: both(1).filter(({ priority, protocol }) => priority !== VRF_RULE || protocol !== "kernel"),
    neighbour: both(2).map(({ dst, dev, lladdr }) => ({ dst, dev, lladdr })),
    settings: both(3).filter(({ interface: name }) => name !== undefined),
    vlans,
    remote: entries
      .filter(({ dst, state }) => dst !== undefined && state === "permanent")
      .map(({ mac, ifname, dst }) => ({ mac, ifname, dst })),
  };
  return Object.entries(all).flatMap(([kind, each]) => each.map((one) => `${place} ${kind} ${JSON.stringify(one)}`));
}

async function json(command: readonly string[], where: IpOptions): Promise<readonly Data[]> {
  const output = await run(command, where);
  return output.trim() === "" ? [] : JSON.parse(output);
}

/** Several questions of one family, answered by one program. */
async function batch(family: "-4" | "-6", questions: readonly string[], where: IpOptions): Promise<readonly Data[][]> {
  const script = `printf "%s\\n" "$@" | ip -j -d ${family} -batch -`;
  const lines = (await run(["sh", "-c", script, "sh", ...questions], where)).trimEnd().split("\n");
  return lines.map((line) => JSON.parse(line) as Data[]);
}

function linkOf(link: Data): Data {
  const info = (link.linkinfo ?? {}) as Readonly<Record<string, unknown>>;
  const addresses = (link.addr_info as readonly Data[]).filter(({ scope }) => scope !== "link");
  return {
    ...Object.fromEntries(OF_LINK.map((name) => [name, link[name]])),
    up: (link.flags as readonly string[]).includes("UP"),
    addresses: addresses.map(({ local, prefixlen, label, protocol, address }) => ({
      local,
      prefixlen,
      label,
      protocol,
      address,
    })),
    kind: info.info_kind,
    port: info.info_slave_kind,
    data: lasting(info.info_data),
    portData: lasting(info.info_slave_data),
  };
}

function lasting(data: unknown): Data {
  return Object.fromEntries(Object.entries((data ?? {}) as Data).filter(([name]) => !PASSING.test(name)));
}

/** Link-local routes have random addresses of links; the kernel makes these, and those of groups. */
function isChosen({ dst }: Data): boolean {
  return !/^(fe80|ff00|multicast)/.test(String(dst));
}

function routeOf(route: Data): Data {
  const hops = (route.nexthops as readonly Data[] | undefined)?.map(({ flags: _flags, ...hop }) => JSON.stringify(hop));
  // The kernel has an order of its own for those of IPv6.
  return { ...Object.fromEntries(OF_ROUTE.map((name) => [name, route[name]])), nexthops: hops?.sort() };
}
