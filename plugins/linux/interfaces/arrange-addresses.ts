import type { Address, NamespaceHandle } from "#plugins/netlink/index.js";
import { canonicalNetwork, type Interface } from "#proto/index.js";
import { AddressOrder } from "./address-order.js";
import { addressesOf, requestOf } from "./own-addresses.js";

/** IPV4_DEVCONF_PROMOTE_SECONDARIES of linux/ip.h. */
const PROMOTE_SECONDARIES = 20;

/**
 * Removes an IPv4 address, and nothing else. With the first one of a network the kernel removes all later ones, whoever has made
 * them, with their routes, unless it is told to promote them (net/ipv4/devinet.c, __inet_del_ifa).
 */
export async function removeIpv4(handle: NamespaceHandle, request: Address): Promise<void> {
  const { linkIndex, address } = request;
  const found = await handle.addrList({ linkIndex, family: "inet" });
  const network = canonicalNetwork(address);
  const isAlone = found.every((other) => other.address === address || canonicalNetwork(other.address) !== network);
  if (isAlone) await handle.addrDel(request);
  else await removePromoting(handle, request, async () => undefined);
}

/**
 * Brings the IPv4 addresses of a link into an order, and adds those that are missing. Each that is in its place stays; each other
 * one goes for a moment, and only after one that comes before it has come: the link is never without an address, which would
 * cost it its routes.
 */
export async function arrangeIpv4(handle: NamespaceHandle, linkIndex: number, value: Interface): Promise<void> {
  const desired = addressesOf(value).filter((address) => !address.includes(":"));
  const order = new AddressOrder(desired);
  const found = await handle.addrList({ linkIndex, family: "inet" });
  let present = found.map(({ address }) => address).filter((address) => desired.includes(address));
  for (const address of desired) {
    const request = requestOf(value, linkIndex, address);
    const add = (): Promise<void> => handle.addrReplace(request);
    if (!present.includes(address)) await add();
    else if (new AddressOrder(present).holds(address, order)) continue;
    else await removePromoting(handle, request, add);
    present = [...present.filter((other) => other !== address), address];
  }
}

async function removePromoting(handle: NamespaceHandle, request: Address, then: () => Promise<void>): Promise<void> {
  const { linkIndex } = request;
  const before = (await handle.linkProtocols(linkIndex))?.ipv4.get(PROMOTE_SECONDARIES) ?? 0;
  const promote = (value: number): Promise<void> =>
    handle.linkProtocolsSet({ linkIndex, ipv4: new Map([[PROMOTE_SECONDARIES, value]]) });
  // In one turn: they leave together, and nobody else's request comes between them.
  await Promise.all([promote(1), handle.addrDel(request), promote(before), then()]);
}
