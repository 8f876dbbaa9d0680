import { release } from "node:os";
import { errorMessage, SouthboundError, TenutoError } from "#core/errors.js";
import type { Link, LinkRequest, NamespaceHandle } from "#plugins/netlink/index.js";
import type { Interface } from "#proto/index.js";
import { isCode } from "../namespaces/index.js";
import { isNamed } from "./host-name.js";
import type { LinkContext } from "./link-type.js";

type MakeWay = LinkContext["makeWay"];

const [MAJOR = 0, MINOR = 0] = release().split(".").map(Number);

/**
 * Before Linux 6.2 a link that is up cannot get another name (net/core/dev.c, dev_change_name). It goes down for a moment, and
 * loses IPv6 addresses and routes.
 */
export function resetsOnRename(up: boolean): boolean {
  return up && (MAJOR < 6 || (MAJOR === 6 && MINOR < 2));
}

/** The settings that every link has, and the field of `Interface` that each comes from. */
type Setting = "name" | "mtu" | "address" | "up";

const FIELDS: Readonly<Record<Setting, keyof Interface>> = {
  name: "host_if_name",
  mtu: "mtu",
  address: "phys_address",
  up: "enabled",
};

/** MTU and MAC address, where the value does not leave them to the kernel's choice. */
export function chosenSettings(value: Interface): Partial<LinkRequest> {
  return {
    ...(value.mtu ? { mtu: value.mtu } : {}),
    ...(value.phys_address && !value.link_only ? { address: value.phys_address.toLowerCase() } : {}),
  };
}

/** The MAC address that is its own: a bond puts its ports under another one, and keeps theirs as it was when they joined. */
export function ownAddressOf({ address, slaveKind, slaveData }: Link): string {
  const own = slaveKind === "bond" ? slaveData?.permanentAddress : undefined;
  return typeof own === "string" ? own : address;
}

/** Does the link leave its bond for a moment, to come back with another MAC address? It loses its IPv6 addresses. */
export function rejoins(link: Link, value: Interface): boolean {
  const { address } = chosenSettings(value);
  return link.slaveKind === "bond" && address !== undefined && address !== ownAddressOf(link);
}

/** The settings in which a link differs from what is desired. */
export function differences(
  link: Link,
  value: Interface,
  hostName: string,
): readonly Partial<Pick<LinkRequest, Setting>>[] {
  const desired = chosenSettings(value);
  const up = value.enabled ?? false;
  return [
    ...(isNamed(link, hostName) ? [] : [{ name: hostName }]),
    ...(desired.address === undefined || desired.address === ownAddressOf(link) ? [] : [{ address: desired.address }]),
    ...(desired.mtu === undefined || desired.mtu === link.mtu ? [] : [{ mtu: desired.mtu }]),
    ...(link.up === up ? [] : [{ up }]),
  ];
}

/**
 * Brings the settings of a link to what is desired, one request each (they leave together), so that what the kernel refuses
 * is known by its field. The others are in force even if one is refused.
 */
export async function applySettings(
  handle: NamespaceHandle,
  link: Link,
  value: Interface,
  hostName: string,
  makeWay: MakeWay,
): Promise<void> {
  const preferredBy = isNamed(link, hostName) ? undefined : await bondThatPrefers(handle, link);
  const results = await Promise.allSettled(
    differences(link, value, hostName).map(async (setting) => {
      try {
        await apply(handle, link, setting).catch(async (error: unknown) => {
          const isTaken = setting.name !== undefined && isCode(error, "EEXIST");
          if (!isTaken || (await makeWay(handle, setting.name ?? "", value.namespace)) !== undefined) throw error;
          await apply(handle, link, setting);
        });
      } catch (error) {
        throw refusal(error, setting);
      }
    }),
  );
  if (preferredBy !== undefined) {
    await handle.linkSet({ index: preferredBy.index, kind: "bond", data: { primary: link.index } });
  }
  for (const result of results) if (result.status === "rejected") throw result.reason;
}

/** A bond knows its primary by name, and has none any more when that is renamed (bond_main.c, bond_slave_netdev_event). */
async function bondThatPrefers(handle: NamespaceHandle, { index, slaveKind, master }: Link): Promise<Link | undefined> {
  if (slaveKind !== "bond" || master === undefined) return undefined;
  const bond = await handle.linkByIndex(master);
  return bond?.data?.primary === index ? bond : undefined;
}

async function apply(handle: NamespaceHandle, link: Link, setting: Partial<LinkRequest>): Promise<void> {
  const { index, up, mtu, slaveKind, master } = link;
  if (setting.name !== undefined) return rename(handle, link, setting.name);
  const change = (): Promise<void> => handle.linkSet({ index, ...setting });
  if (setting.address !== undefined && slaveKind === "bond" && master !== undefined) {
    const back = [handle.linkSet({ index, master: 0 }), change(), handle.linkSet({ index, master })];
    await Promise.all([...back, handle.linkSet({ index, up, mtu })]);
    return;
  }
  return change();
}

/** Gives a link another name. It may be down for a moment: see {@link resetsOnRename}. */
export async function rename(handle: NamespaceHandle, { index, up }: Link, name: string): Promise<void> {
  const change = handle.linkSet.bind(handle, { index, name });
  if (!resetsOnRename(up)) return change();
  // The requests leave in this order.
  await Promise.all([handle.linkSet({ index, up: false }), change(), handle.linkSet({ index, up: true })]);
}

function refusal(error: unknown, setting: Partial<Pick<LinkRequest, Setting>>): unknown {
  const [entry] = Object.entries(setting);
  if (!(error instanceof TenutoError) || error.kind !== "southbound" || entry === undefined) return error;
  const field = FIELDS[entry[0] as Setting];
  return new SouthboundError(error.code, `cannot set ${field} to ${entry[1]}: ${errorMessage(error)}`, {
    field,
    cause: error,
  });
}
