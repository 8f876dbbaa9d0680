import { SouthboundError } from "#core/errors.js";
import type { Link, NamespaceHandle } from "#plugins/netlink/index.js";
import type { Interface } from "#proto/index.js";
import { isCode, namespaceText } from "../namespaces/index.js";
import type { Marker } from "./marker.js";

/** Removes a link; one that is gone already is fine. */
export async function removeLink(handle: NamespaceHandle, index: number): Promise<void> {
  try {
    await handle.linkDel(index);
  } catch (error) {
    if (!isCode(error, "ENODEV")) throw error;
  }
}

/** The link with that alias: looked for under its host name first, then everywhere in the namespace. */
export async function findMarked(handle: NamespaceHandle, hostName: string, alias: string): Promise<Link | undefined> {
  const named = await handle.linkByName(hostName);
  if (named?.alias === alias) return named;
  return (await handle.linkList()).find((link) => link.alias === alias);
}

/** What to say when the host name that a value needs is taken by another link, which stays untouched. */
export function nameTaken(value: Interface, by: Link, marker: Marker, cause: unknown): SouthboundError {
  const place = namespaceText(value.namespace);
  const message = `cannot make ${value.name}: the host name ${by.name} is taken in ${place} by ${ownerOf(by, marker)}`;
  return new SouthboundError("EEXIST", message, { field: value.host_if_name ? "host_if_name" : "name", cause });
}

function ownerOf(link: Link, marker: Marker): string {
  const ours = marker.nameIn(link.alias);
  if (ours !== undefined) return `interface ${ours}: delete that, or give one of the two another host name`;
  if (marker.isUnfinished(link)) return "an interface that is being made too";
  return "an interface of somebody else, which is left alone";
}
