import { errorMessage, SouthboundError } from "#core/errors.js";
import type { Dependency, Descriptor, Scheduler } from "#core/scheduler/types.js";
import type { NamespaceHandle } from "#plugins/netlink/index.js";
import { canonicalNetwork, type Interface, interfaceKey, parseInterfaceAddressKey } from "#proto/index.js";
import { isCode } from "../namespaces/index.js";
import { interfacePlaceKey } from "./derived-keys.js";
import type { InterfaceIndex } from "./interface-index.js";
import { addressesOf, addressRequest, type InterfaceAddress, IPV6_MIN_MTU } from "./own-addresses.js";
import { ipv4Claim } from "./state.js";

/** Addresses, derived from their interface, and marked as ours by IFA_PROTO. Every change is a re-creation. */
export class AddressDescriptor implements Descriptor<InterfaceAddress, undefined> {
  readonly name = "linux-interface-address";
  readonly prefix = "linux/interface/";

  constructor(
    private readonly interfaces: InterfaceIndex,
    private readonly scheduler: Pick<Scheduler, "wanted">,
  ) {}

  selects(key: string): boolean {
    return parseInterfaceAddressKey(key) !== undefined;
  }

  dependencies(_key: string, { interface: name }: InterfaceAddress): readonly Dependency[] {
    return [{ label: `place of interface ${name}`, key: interfacePlaceKey(name) }];
  }

  /** With the first IPv4 address of a network its later ones go (see below): one that takes its place comes afterwards. */
  claims(_key: string, { interface: name, address }: InterfaceAddress): readonly string[] {
    return address.includes(":") ? [] : [ipv4Claim(name)];
  }

  async create(key: string, { interface: name, address }: InterfaceAddress): Promise<undefined> {
    const metadata = this.interfaces.get(name);
    const handle = this.interfaces.namespaceOf(name);
    if (metadata === undefined || handle === undefined) {
      throw new SouthboundError("ENODEV", `interface ${name} is not there to take ${address}`, { key });
    }
    try {
      await handle.addrReplace(addressRequest(metadata.index, address));
    } catch (error) {
      throw address.includes(":") ? await withoutIpv6(error, handle, metadata.index) : error;
    }
  }

  async delete(_key: string, { interface: name, address }: InterfaceAddress): Promise<void> {
    const metadata = this.interfaces.get(name);
    const handle = this.interfaces.namespaceOf(name);
    if (metadata === undefined || handle === undefined) return;
    const wanted: Interface | undefined = this.scheduler.wanted(interfaceKey(name));
    // The link is about to go, and the kernel takes its addresses with it. It walks all IPv6 routes for every link that goes
    // (net/ipv6/route.c, rt6_disable_ip), but also for every address (rt6_remove_prefsrc).
    if (wanted === undefined && metadata.ours) return;
    const swept = wanted === undefined ? [] : addressesOf(wanted).filter((other) => isSweptWith(address, other));
    try {
      await handle.addrDel({ linkIndex: metadata.index, address });
    } catch (error) {
      // The link is gone, and took its addresses with it: a VETH end goes with the other one.
      if (isCode(error, "ENODEV")) return;
      if (!isCode(error, "EADDRNOTAVAIL", "ESRCH")) throw error;
    }
    try {
      await Promise.all(swept.map((other) => handle.addrReplace(addressRequest(metadata.index, other))));
    } catch (error) {
      if (!isCode(error, "ENODEV")) throw error;
    }
  }
}

/** The kernel says no more than EINVAL of an IPv6 address on a link that has no IPv6. */
async function withoutIpv6(error: unknown, handle: NamespaceHandle, index: number): Promise<unknown> {
  if (!isCode(error, "EINVAL")) return error;
  const link = await handle.linkByIndex(index);
  if (link?.mtu === undefined || link.mtu >= IPV6_MIN_MTU) return error;
  const message = `${link.name} has an MTU of ${link.mtu}, and IPv6 needs at least ${IPV6_MIN_MTU}: set mtu`;
  return new SouthboundError("EINVAL", `${message}: ${errorMessage(error)}`, { field: "mtu", cause: error });
}

/**
 * With an IPv4 address the kernel removes all later ones of the same network (its secondaries), unless
 * net.ipv4.conf.<if>.promote_secondaries is set: net/ipv4/devinet.c, __inet_del_ifa.
 */
function isSweptWith(removed: string, other: string): boolean {
  return removed !== other && !removed.includes(":") && canonicalNetwork(removed) === canonicalNetwork(other);
}
