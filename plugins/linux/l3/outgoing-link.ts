import { SouthboundError } from "#core/errors.js";
import type { Scheduler } from "#core/scheduler/api/scheduler.js";
import type { NamespaceHandle } from "#plugins/netlink/index.js";
import { type Interface, interfaceKey } from "#proto/index.js";
import type { InterfaceIndex } from "../interfaces/index.js";
import { MAIN_TABLE, type PlainRoute } from "./route-kernel.js";

/** Where an interface's routes and neighbours go: its namespace and its index there. */
export interface OutgoingLink {
  readonly handle: NamespaceHandle;
  readonly index: number;
}

/** Throws `SouthboundError` (`ENODEV`) that names the field when the interface does not exist. */
export function outgoingLink(
  interfaces: InterfaceIndex,
  name: string,
  key: string,
  field = "outgoing_interface",
): OutgoingLink {
  const metadata = interfaces.get(name);
  const handle = interfaces.namespaceOf(name);
  if (metadata === undefined || handle === undefined) {
    throw new SouthboundError("ENODEV", `${key}: ${field}: interface ${name} is not there`, { key, field });
  }
  return { handle, index: metadata.index };
}

/** Every namespace that has an interface of ours, once. */
export function namespacesInUse(interfaces: InterfaceIndex): readonly NamespaceHandle[] {
  const handles = new Map<string, NamespaceHandle>();
  for (const { name, namespaceIdentity } of interfaces.all()) {
    const handle = interfaces.namespaceOf(name);
    if (handle !== undefined) handles.set(namespaceIdentity, handle);
  }
  return [...handles.values()];
}

/** The routing table of an interface: that of the VRF it belongs to, else the main table. */
export function tableOf(scheduler: Pick<Scheduler, "desired">, interfaceName: string): number {
  const own: Interface | undefined = scheduler.desired(interfaceKey(interfaceName));
  const vrf = own?.vrf_master_interface;
  return vrf ? tableOfVrf(scheduler, vrf) : MAIN_TABLE;
}

function tableOfVrf(scheduler: Pick<Scheduler, "desired">, name: string): number {
  const device: Interface | undefined = scheduler.desired(interfaceKey(name));
  return device?.vrf_dev?.routing_table || MAIN_TABLE;
}

/** The routing table that a route goes to: the one that it names, that of its VRF, or that of its first interface. */
export function tableOfRoute(
  scheduler: Pick<Scheduler, "desired">,
  { table, vrf, hops }: Pick<PlainRoute, "table" | "vrf" | "hops">,
): number {
  if (table !== 0) return table;
  if (vrf !== "") return tableOfVrf(scheduler, vrf);
  const [hop] = hops;
  return hop === undefined ? MAIN_TABLE : tableOf(scheduler, hop.interface);
}
