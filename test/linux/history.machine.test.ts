/**
 * What a link is does not depend on what it was: for every field of every type, a link made without it, with one value and with
 * another is changed from each to each, and is then what a link is that was made so. iproute2 is the reader.
 */
import { writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "ava";
import { Root } from "protobufjs";
import { descriptor } from "#proto/generated/descriptor.js";
import type { Interface } from "#proto/index.js";
import { LONG_VARIABLE } from "#test/support/counts.js";
import { ip, run } from "#test/support/sandbox.js";
import { dropInterface, NetworkAgent, operations, states, wantInterface } from "./support/network.js";

type Named = Interface & { readonly name: string };
type Fields = Readonly<Record<string, unknown>>;

interface TypeOfFields {
  readonly type: NonNullable<Interface["type"]>;
  /** The part of its own, and the message of that. */
  readonly part: string;
  /** What it needs, for the nth link. */
  readonly base: (n: number) => Fields;
  /** Two values of each field, and what else it needs. */
  readonly fields: Readonly<Record<string, readonly [one: unknown, other: unknown, needs?: Fields]>>;
  /** Fields that all have, or that say which link it is or what it stands on. */
  readonly identity?: readonly string[];
}

const MAC = ["02:00:00:00:00:01", "02:00:00:00:00:02"] as const;
const LACP = { mode: "LACP" };
const ARP = { arp_interval: 1000, arp_ip_targets: ["192.0.2.9"] };
const KEY_FILE = join(tmpdir(), "tenuto-history-key");
const PEERS = ["SOyKck0IW+VjZ9bLyhRUzym31H2lGdKaKMtAY3n7I7E=", "BEUpECrZgwovqHh6cEA/DBAwFhb0Q/ECNPnzhiHOx1I="];
const lower = (n: number): string => `l${n}`;
const v4 = (n: number): Fields => ({ local: "192.0.2.1", remote: `198.51.100.${n}` });

const TYPES: readonly TypeOfFields[] = [
  {
    type: "BRIDGE",
    part: "bridge",
    base: () => ({}),
    identity: ["ports"],
    fields: {
      stp: [true, false],
      priority: [4096, 0],
      forward_delay: [4000, 5000],
      hello_time: [1000, 3000],
      max_age: [7000, 9000],
      ageing_time: [100_000, 0],
      vlan_filtering: [true, false],
      vlan_default_pvid: [20, 0, { vlan_filtering: true }],
      multicast_snooping: [false, true],
      self: [{ vlans: [{ first: 10, last: 12 }] }, { pvid: 10, vlans: [{ first: 11 }] }, { vlan_filtering: true }],
      vlan_protocol: ["DOT1AD", "DOT1Q"],
      group_forward_mask: [8, 16],
      multicast_querier: [true, false],
      multicast_query_use_address: [true, false],
      multicast_router: [2, 0],
      multicast_hash_max: [512, 1024],
      multicast_last_member_count: [3, 4],
      multicast_startup_query_count: [3, 4],
      multicast_last_member_interval: [2000, 3000],
      multicast_membership_interval: [270_000, 280_000],
      multicast_querier_interval: [265_000, 275_000],
      multicast_query_interval: [130_000, 140_000],
      multicast_query_response_interval: [11_000, 12_000],
      multicast_startup_query_interval: [32_000, 33_000],
      multicast_igmp_version: [3, 2],
      multicast_mld_version: [2, 1],
      vlan_statistics: [true, false],
      multicast_statistics: [true, false],
      nf_call_iptables: [true, false],
      nf_call_ip6tables: [true, false],
      nf_call_arptables: [true, false],
    },
  },
  {
    type: "BOND",
    part: "bond",
    base: () => ({ miimon: 50 }),
    identity: ["ports", "primary"],
    fields: {
      mode: ["LACP", "BALANCE_XOR"],
      miimon: [100, 200],
      up_delay: [400, 200],
      down_delay: [400, 200],
      transmit_hash_policy: ["LAYER34", "ENCAP23", { mode: "BALANCE_XOR" }],
      lacp_rate: ["FAST", "SLOW", LACP],
      min_links: [1, 2],
      arp_interval: [1000, 2000, { miimon: 0 }],
      arp_ip_targets: [["192.0.2.9"], ["192.0.2.8", "192.0.2.7"], { miimon: 0, arp_interval: 1000 }],
      ns_ip6_targets: [["2001:db8::9"], ["2001:db8::7", "2001:db8::8"], { miimon: 0, mode: "ACTIVE_BACKUP", ...ARP }],
      arp_validate: ["ALL", "FILTER", { miimon: 0, mode: "ACTIVE_BACKUP", ...ARP }],
      arp_all_targets: [true, false],
      missed_max: [3, 4],
      primary_reselect: ["BETTER", "FAILURE", { mode: "ACTIVE_BACKUP" }],
      fail_over_mac: ["FOLLOW_BOND", "FOLLOW_PORT", { mode: "ACTIVE_BACKUP" }],
      resend_igmp: [2, 0],
      peer_notifications: [2, 0],
      peer_notification_delay: [100, 200],
      all_ports_active: [true, false],
      learning_packet_interval: [2, 3],
      packets_per_port: [2, 0],
      dynamic_balancing: [false, true, { mode: "BALANCE_TLB" }],
      aggregator_selection: ["BANDWIDTH", "COUNT", LACP],
      actor_system_priority: [100, 200, LACP],
      actor_system: [MAC[0], MAC[1], LACP],
      user_port_key: [5, 6, LACP],
      lacp_active: [false, true, LACP],
    },
  },
  {
    type: "VXLAN",
    part: "vxlan",
    base: (n) => ({ vni: n, port: 10_000 + n }),
    identity: ["vni", "underlay_interface"],
    fields: {
      remote: ["192.0.2.2", "2001:db8::2"],
      local: ["192.0.2.1", "192.0.2.3"],
      port: [20_000, 20_001],
      "source_port_min source_port_max": [
        { source_port_min: 30_000, source_port_max: 31_000 },
        { source_port_min: 30_000, source_port_max: 32_000 },
      ],
      ttl: [5, 6],
      tos: [4, 8],
      learning: [false, true],
      ageing_time: [60, 70],
      udp_checksum: [true, false],
      collect_metadata: [true, false],
      group_policy: [true, false],
    },
  },
  {
    type: "GENEVE",
    part: "geneve",
    base: (n) => ({ vni: n, remote: "192.0.2.2" }),
    identity: ["vni", "collect_metadata"],
    fields: {
      remote: ["192.0.2.3", "2001:db8::2"],
      port: [20_100, 20_101],
      ttl: [5, 6],
      tos: [4, 8],
      udp_checksum: [true, false],
    },
  },
  {
    type: "GRE",
    part: "gre",
    base: v4,
    identity: ["local", "remote", "underlay_interface"],
    fields: {
      mode: ["TAP", "TUNNEL"],
      output_key: [3, 0],
      input_key: [3, 0],
      sequence: [true, false],
      checksum: [true, false],
      ttl: [5, 6],
      tos: [4, 8],
      path_mtu_discovery: [false, true],
    },
  },
  {
    type: "VLAN",
    part: "vlan",
    base: (n) => ({ lower_interface: lower(n), id: 5 }),
    identity: ["lower_interface"],
    fields: {
      id: [6, 7],
      protocol: ["DOT1AD", "DOT1Q"],
      gvrp: [true, false],
      mvrp: [true, false],
      loose_binding: [true, false],
      reorder_header: [false, true],
      egress_qos: [{ "0": 3 }, { "1": 4, "2": 5 }],
      ingress_qos: [{ "3": 1 }, { "4": 2, "5": 3 }],
    },
  },
  {
    type: "MACVLAN",
    part: "macvlan",
    base: (n) => ({ lower_interface: lower(n) }),
    identity: ["lower_interface"],
    fields: {
      mode: ["PASSTHRU", "BRIDGE"],
      tap: [true, false],
      source_addresses: [[MAC[0], MAC[1]], [MAC[1]], { mode: "SOURCE" }],
    },
  },
  {
    type: "IPVLAN",
    part: "ipvlan",
    base: (n) => ({ lower_interface: lower(n) }),
    identity: ["lower_interface"],
    fields: { mode: ["L3", "L3S"], isolation: ["PRIVATE", "VEPA"] },
  },
  {
    type: "TAP",
    part: "tuntap",
    base: () => ({}),
    fields: {
      mode: ["TUN", "TAP"],
      owner: [5, 0],
      group: [5, 0],
      packet_info: [true, false],
      multi_queue: [true, false],
      vnet_header: [true, false],
    },
  },
  {
    type: "WIREGUARD",
    part: "wireguard",
    base: () => ({ private_key_file: KEY_FILE }),
    identity: ["private_key_file", "listen_port"],
    fields: {
      fw_mark: [5, 6],
      peers: [
        [{ public_key: PEERS[0], allowed_ips: ["10.0.0.0/8"], persistent_keepalive: 5 }],
        [
          { public_key: PEERS[0], endpoint: "192.0.2.1:5" },
          { public_key: PEERS[1], allowed_ips: ["10.0.0.0/8"] },
        ],
      ],
    },
  },
];

/** Fields of every type that are not a part of its own: with two values, and the types of which each is tried. */
const COMMON: readonly (readonly [field: keyof Interface, one: unknown, other: unknown, types: readonly string[]])[] = [
  ["mtu", 1300, 1400, TYPES.map(({ type }) => type)],
  ["enabled", false, true, TYPES.map(({ type }) => type)],
  ["ip_addresses", ["10.0.0.1/24", "10.0.0.2/24"], ["10.0.0.2/24", "fd00::1/64"], ["BRIDGE", "VLAN"]],
  ["phys_address", MAC[0], MAC[1], ["BRIDGE", "VXLAN", "MACVLAN"]],
];

interface Subject {
  readonly title: string;
  readonly name: string;
  readonly others: readonly Named[];
  /** Without the field, with one value, and with another. */
  readonly values: readonly [Named, Named, Named];
}

function subjects(): readonly Subject[] {
  const all: Subject[] = [];
  for (const { type, part, base, fields } of TYPES) {
    const add = (title: string, variants: (n: number) => readonly [Fields, Fields, Fields]): void => {
      const n = all.length + 1;
      const name = `s${n}`;
      const [unset, one, other] = variants(n).map((each): Named => Object.assign({ name, type, enabled: true }, each));
      const standsOn = "lower_interface" in base(n);
      const others: readonly Named[] = standsOn ? [{ name: lower(n), type: "DUMMY", enabled: true }] : [];
      all.push({ title: `${type} ${title}`, name, others, values: [unset!, one!, other!] });
    };
    for (const [field, [one, other, needs = {}]] of Object.entries(fields)) {
      const own = (n: number, more: Fields): Fields => ({ [part]: { ...base(n), ...needs, ...more } });
      const said = (value: unknown): Fields => (field.includes(" ") ? (value as Fields) : { [field]: value });
      add(field, (n) => [own(n, {}), own(n, said(one)), own(n, said(other))]);
    }
    for (const [field, one, other, types] of COMMON) {
      const own = (n: number, more: Fields): Fields => ({ [part]: base(n), ...more });
      if (types.includes(type)) add(field, (n) => [own(n, {}), own(n, { [field]: one }), own(n, { [field]: other })]);
    }
  }
  return all;
}

/** From the last of the states that were made: changes that take out, set and change; in `npm run test:long` from each state to each other one. */
const ROUND: readonly (0 | 1 | 2)[] = process.env[LONG_VARIABLE] ? [0, 1, 2, 1, 0, 2] : [0, 1, 2];

/** What changes by itself, or differs between two links that are the same. */
const VOLATILE =
  /^(qdisc|ifindex|link_index|ifalias|address|permaddr|broadcast|.*_timer|.*_id|root_port|ad_|valid_life_time|preferred_life_time|group_addr|operstate|stats.*|altnames|.*_addr_gen)/;

function plain(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== "object" || value === null) return value;
  const entries = Object.entries(value).filter(([name]) => name === "ad_user_port_key" || !VOLATILE.test(name));
  return Object.fromEntries(entries.map(([name, inner]) => [name, plain(inner)]));
}

type View = Fields & { readonly ifname: string; readonly address?: string };

async function look(): Promise<ReadonlyMap<string, unknown>> {
  const links = await ip<View>("-details", "address", "show");
  const vlans = JSON.parse(await run(["bridge", "-json", "vlan", "show"])) as { ifname: string; vlans: unknown }[];
  const found = new Map<string, unknown>();
  for (const link of links) {
    const own = (link.addr_info as readonly { scope: string }[]).filter(({ scope }) => scope !== "link");
    found.set(link.ifname, [
      plain({ ...link, flags: undefined, addr_info: own }),
      (link.flags as readonly string[]).includes("UP"),
      vlans.find(({ ifname }) => ifname === link.ifname)?.vlans,
      link.linkinfo && (link.linkinfo as Fields).info_kind === "wireguard"
        ? (await run(["wg", "showconf", link.ifname])).replace(/ListenPort.*/, "").replaceAll(/\n+/g, "\n")
        : "",
    ]);
  }
  return found;
}

test("the table has every field of every type", (t) => {
  const root = Root.fromJSON({ nested: descriptor.nested ?? {} });
  root.resolveAll();
  for (const { part, fields, identity = [] } of TYPES) {
    const field = root.lookupType("ligato.linux.interfaces.Interface").fields[part];
    const names = root.lookupType(field!.type).fieldsArray.map(({ name }) => name);
    const known = [...Object.keys(fields).flatMap((each) => each.split(" ")), ...identity].sort();
    t.deepEqual(names.sort(), known, part);
  }
});

test("changed from any value of a field to any other, a link is as if it had been made so", async (t) => {
  await run(["modprobe", "tun"]);
  await writeFile(KEY_FILE, await run(["wg", "genkey"]), { mode: 0o600 });
  const agent = await NetworkAgent.start("history");
  t.teardown(() => agent.close());
  const all = subjects();
  const others = all.flatMap((each) => each.others).map(wantInterface);
  const problems: string[] = [];
  const isSettled = async (what: string): Promise<void> => {
    for (const each of operations(await agent.scheduler.resyncDownstream())) problems.push(`${what}: ${each}`);
  };
  const commit = async (state: 0 | 1 | 2, what: string): Promise<void> => {
    const record = await agent.commit(...others, ...all.map(({ values }) => wantInterface(values[state])));
    for (const { name, title } of all) {
      const problem = states(record)[`config/linux/interfaces/v2/interface/${name}`];
      if (problem !== undefined && problem !== "CONFIGURED") problems.push(`${what}: ${title}: ${problem}`);
    }
  };
  const fresh: ReadonlyMap<string, unknown>[] = [];
  for (const state of [0, 1, 2] as const) {
    await commit(state, `made with ${state}`);
    fresh[state] = await look();
    await isSettled(`made with ${state}`);
    if (state !== 2) await agent.commit(...all.map(({ name }) => dropInterface(name)));
  }
  for (const [step, state] of ROUND.entries()) {
    const what = `from ${ROUND[step - 1] ?? 2} to ${state}`;
    await commit(state, what);
    const found = await look();
    for (const { name, title } of all) {
      const [is, was] = [found, fresh[state]!].map((each) => JSON.stringify(each.get(name)));
      if (is !== was) problems.push(`${title}: ${what}: ${is} is not ${was}`);
    }
    await isSettled(what);
  }
  t.deepEqual(problems, []);
});
