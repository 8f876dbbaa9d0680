import { isDeepStrictEqual } from "node:util";
import type { InterfaceMetadata } from "#plugins/linux/index.js";
import type { Link, LinkStatistics } from "#plugins/netlink/index.js";
import type { InterfaceState, InterfaceStateStatistics, InterfaceStateStatus } from "#proto/index.js";

/** What a state says apart from counters, times and numbers of notifications: if it is equal, nothing has changed. */
export type InterfaceCondition = Omit<InterfaceState, "statistics" | "last_change" | "sequence" | "folded_changes">;

/** What the kernel says about an interface elsewhere than in its link. */
export interface Surroundings {
  /** Canonical. */
  readonly addresses: readonly string[];
  /** Host name of the bridge, bond or VRF that it belongs to. */
  readonly master: string | undefined;
  /** Mbit/s; 0 for unknown. */
  readonly speed: number;
}

/** The kernel's view of an interface. */
export function conditionOf(
  metadata: InterfaceMetadata,
  link: Link,
  { addresses, master, speed }: Surroundings,
): InterfaceCondition {
  return {
    name: metadata.name,
    internal_name: link.name,
    type: metadata.type,
    if_index: link.index,
    admin_status: link.up ? "UP" : "DOWN",
    oper_status: operStatus(link),
    ...(/^[0:]*$/.test(link.address) ? {} : { phys_address: link.address }),
    ...(speed === 0 ? {} : { speed: String(speed * 1_000_000) }),
    mtu: link.mtu,
    ...(metadata.namespace === undefined ? {} : { namespace: metadata.namespace }),
    ...(master === undefined ? {} : { master }),
    ...(addresses.length === 0 ? {} : { ip_addresses: addresses }),
    ...(link.carrierChanges === 0 ? {} : { carrier_changes: link.carrierChanges }),
    ...(metadata.ours ? { managed: true } : {}),
    ...(link.kind === undefined ? {} : { kind: link.kind }),
  };
}

/** Every event of the kernel asks it, before anything is told: `isDeepStrictEqual` is for what is not plain. */
export function sameCondition(a: InterfaceCondition, b: InterfaceCondition | undefined): boolean {
  if (b === undefined) return false;
  const [one, other] = [a, b] as Readonly<Record<string, unknown>>[];
  const fields = Object.keys(a);
  return (
    fields.length === Object.keys(b).length &&
    fields.every((field) => one?.[field] === other?.[field] || isDeepStrictEqual(one?.[field], other?.[field]))
  );
}

/** Links without an operational state of their own (loopback, tunnels) say `unknown` while they work. */
function operStatus({ operState, up, carrier }: Link): InterfaceStateStatus {
  if (operState === "up") return "UP";
  if (operState === "unknown") return up && carrier ? "UP" : "DOWN";
  return "DOWN";
}

/** Counters as the contract writes them: decimal text, zeros left out. */
export function statisticsOf(statistics: LinkStatistics): InterfaceStateStatistics {
  const counters = {
    in_packets: statistics.rxPackets,
    in_bytes: statistics.rxBytes,
    out_packets: statistics.txPackets,
    out_bytes: statistics.txBytes,
    drop_packets: statistics.rxDropped + statistics.txDropped,
    in_error_packets: statistics.rxErrors,
    out_error_packets: statistics.txErrors,
  };
  return Object.fromEntries(
    Object.entries(counters).flatMap(([name, count]) => (count === 0n ? [] : [[name, String(count)]])),
  );
}
