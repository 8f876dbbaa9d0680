import { errorMessage, SouthboundError } from "#core/errors.js";
import type { Dependency, Descriptor, KeyedValue, Scheduler } from "#core/scheduler/api/scheduler.js";
import type { NamespaceHandle } from "#plugins/netlink/index.js";
import { type Interface, interfaceKey, parseInterfaceAddressKey } from "#proto/index.js";
import { isCode } from "../namespaces/index.js";
import { AddressOrder } from "./address-order.js";
import { arrangeIpv4, removeIpv4 } from "./arrange-addresses.js";
import { interfaceAttachmentKey } from "./derived-keys.js";
import type { InterfaceIndex } from "./interface-index.js";
import {
  addressesOf,
  addressRequest,
  type InterfaceAddress,
  IPV6_MIN_MTU,
  interfaceAddresses,
  orderOf,
  sameAddress,
} from "./own-addresses.js";
import { ipv4Claim } from "./state.js";

/** Addresses, derived from their interface, and marked as ours by IFA_PROTO. Every change is a re-creation. */
export class AddressDescriptor implements Descriptor<InterfaceAddress, undefined> {
  readonly name = "linux-interface-address";
  readonly prefix = "linux/interface/";

  /** The last thing under way by interface. */
  private readonly busy = new Map<string, Promise<void>>();

  constructor(
    private readonly interfaces: InterfaceIndex,
    private readonly scheduler: Pick<Scheduler, "desired">,
  ) {}

  selects(key: string): boolean {
    return parseInterfaceAddressKey(key) !== undefined;
  }

  dependencies(_key: string, { interface: name }: InterfaceAddress): readonly Dependency[] {
    return [{ label: `attachment of interface ${name}`, key: interfaceAttachmentKey(name) }];
  }

  /**
   * With the first IPv4 address of a network its later ones go (see below): one that takes its place comes afterwards. An IPv6 address
   * is on a link once, with one prefix length (net/ipv6/addrconf.c, ipv6_chk_same_addr).
   */
  claims(_key: string, { interface: name, address }: InterfaceAddress): readonly string[] {
    return [address.includes(":") ? `${name} ${address.slice(0, address.indexOf("/"))}` : ipv4Claim(name)];
  }

  /** One that is to come after others, and does not, goes and comes back. */
  equivalent(_key: string, before: InterfaceAddress, after: InterfaceAddress): boolean {
    return sameAddress(before, after) && orderOf(before).holds(before.address, orderOf(after));
  }

  async create(key: string, value: InterfaceAddress): Promise<undefined> {
    const { interface: name, address } = value;
    const metadata = this.interfaces.get(name);
    const handle = this.interfaces.namespaceOf(name);
    if (metadata === undefined || handle === undefined) {
      throw new SouthboundError("ENODEV", `interface ${name} is not there to take ${address}`, { key });
    }
    try {
      await handle.addrReplace(addressRequest(metadata.index, value));
    } catch (error) {
      throw address.includes(":") ? await withoutIpv6(error, handle, metadata.index) : error;
    }
  }

  /** In the order of their lists: the requests leave as they are made. */
  createMany(values: readonly KeyedValue<InterfaceAddress>[]): Promise<readonly PromiseSettledResult<undefined>[]> {
    const results = values.map((each): Promise<undefined> | undefined =>
      each.value.order ? undefined : this.create(each.key, each.value),
    );
    const places = [...values.keys()].filter((place) => results[place] === undefined);
    const position = (place: number): number => {
      const value = values[place]?.value;
      return value === undefined ? 0 : orderOf(value).positionOf(value.address);
    };
    for (const place of places.sort((a, b) => position(a) - position(b))) {
      const each = values[place];
      if (each !== undefined) results[place] = this.create(each.key, each.value);
    }
    return Promise.allSettled(results.map((result) => result ?? Promise.resolve(undefined)));
  }

  async delete(_key: string, value: InterfaceAddress): Promise<void> {
    const { interface: name, address } = value;
    const metadata = this.interfaces.get(name);
    const handle = this.interfaces.namespaceOf(name);
    if (metadata === undefined || handle === undefined) return;
    const desired: Interface | undefined = this.scheduler.desired(interfaceKey(name));
    // The link is about to go, and the kernel takes its addresses with it. It walks all IPv6 routes for every link that goes
    // (net/ipv6/route.c, rt6_disable_ip), but also for every address (rt6_remove_prefsrc).
    if (desired === undefined && metadata.ours) return;
    const { index } = metadata;
    const addresses = desired === undefined ? [] : addressesOf(desired);
    // What is said about it may have changed: then it goes like any other.
    const stays = desired !== undefined && interfaceAddresses(desired).some((other) => sameAddress(other, value));
    const isInOrder = orderOf(value).holds(address, new AddressOrder(addresses));
    try {
      if (address.includes(":")) await handle.addrDel(addressRequest(index, value));
      else if (desired === undefined || !stays || isInOrder) await removeIpv4(handle, addressRequest(index, value));
      else await this.alone(name, () => arrangeIpv4(handle, index, desired));
    } catch (error) {
      // The link is gone, and took its addresses with it: a VETH end goes with the other one.
      if (!isCode(error, "ENODEV", "EADDRNOTAVAIL", "ESRCH")) throw error;
    }
  }

  /** Runs `step` after what is under way for that interface. */
  private async alone(name: string, step: () => Promise<void>): Promise<void> {
    const before = this.busy.get(name) ?? Promise.resolve();
    const run = before.then(step, step);
    this.busy.set(name, run);
    try {
      await run;
    } finally {
      if (this.busy.get(name) === run) this.busy.delete(name);
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
