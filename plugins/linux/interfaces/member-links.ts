import { SouthboundError } from "#core/errors.js";
import type { Scheduler } from "#core/scheduler/api/scheduler.js";
import { type Interface, interfaceKey } from "#proto/index.js";
import { isCode } from "../namespaces/index.js";
import type { InterfaceIndex } from "./interface-index.js";
import type { MemberLinks } from "./link-type.js";
import { allAddressesOf, requestOf } from "./own-addresses.js";

/** The links of a member and its master. Throws `SouthboundError` when one is gone or they are in different namespaces. */
export async function linksOf(
  interfaces: InterfaceIndex,
  scheduler: Pick<Scheduler, "desired">,
  member: string,
  master: string,
): Promise<MemberLinks> {
  const [own, other] = [interfaces.get(member), interfaces.get(master)];
  const handle = interfaces.namespaceOf(member);
  if (own === undefined || handle === undefined) throw gone(member);
  if (other === undefined) throw gone(master);
  if (own.namespaceIdentity !== other.namespaceIdentity) {
    throw new SouthboundError("EXDEV", `${member} and ${master} are in different namespaces`, { field: "namespace" });
  }
  const link = await handle.linkByIndex(own.index);
  if (link === undefined) throw gone(member);
  const desiredOf = (name: string): Interface | undefined => scheduler.desired(interfaceKey(name));
  const desired = desiredOf(member);
  const addresses = desired === undefined ? [] : allAddressesOf(desired, desiredOf);
  return { handle, link, master: other.index, desired, addresses };
}

function gone(name: string): SouthboundError {
  return new SouthboundError("ENODEV", `interface ${name} is not there`);
}

/** Leaves a master. A member, a master or a namespace that is gone already is fine. */
export async function leaveMaster(
  find: () => Promise<MemberLinks>,
  leave: (links: MemberLinks) => Promise<void>,
): Promise<void> {
  try {
    const links = await find();
    if (links.link.master === links.master) await leave(links);
  } catch (error) {
    if (!isCode(error, "ENODEV", "EXDEV")) throw error;
  }
}

/** Sets a link up or down as desired, and gives it its MTU and its addresses again, after something that has reset it. */
export async function restore({ handle, link, desired, addresses }: MemberLinks): Promise<void> {
  if (desired === undefined) return;
  const { index } = link;
  await Promise.all([
    handle.linkSet({ index, up: desired.enabled ?? false, ...(desired.mtu ? { mtu: desired.mtu } : {}) }),
    ...addresses.map((address) => handle.addrReplace(requestOf(desired, index, address))),
  ]);
}
