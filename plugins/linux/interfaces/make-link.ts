import { SouthboundError } from "#core/errors.js";
import type { Link, LinkRequest, NamespaceHandle } from "#plugins/netlink/index.js";
import type { Interface } from "#proto/index.js";
import { isCode, namespaceText } from "../namespaces/index.js";
import type { LinkContext, LinkLocation } from "./link-type.js";
import { nameTaken, removeLink } from "./links.js";
import { temporaryName } from "./marker.js";
import { chosenSettings } from "./settings.js";

/** What of a link is its type's own. */
export type LinkBody = Pick<LinkRequest, "kind" | "data" | "link">;

/**
 * Makes a link in the namespace of its value, and gives it its mark. `lower` is the link that it stands on, in any
 * namespace. Throws the error of the kernel, or `EEXIST` when another link has the host name.
 */
export async function makeLink(
  value: Interface,
  hostName: string,
  body: LinkBody,
  context: LinkContext,
  lower?: LinkLocation,
): Promise<Link> {
  const { handle, marker } = context;
  const abroad = lower !== undefined && lower.handle.identity !== handle.identity;
  // The kernel looks for the lower link, and for the name, in the namespace of the socket that the request comes from.
  const name = abroad ? temporaryName(marker.of(value.name ?? "")) : hostName;
  const order: Order = {
    maker: abroad ? lower.handle : handle,
    request: { ...body, name, group: marker.unfinishedGroup, ...(abroad ? { namespace: handle } : {}) },
    settings: { ...chosenSettings(value), up: value.enabled ?? false },
    home: handle,
  };
  const link = await carryOut(order).catch((error: unknown) => makeRoom(order, value, context, error));
  const marked = { alias: marker.of(value.name ?? ""), group: 0 };
  try {
    await handle.linkSet({ index: link.index, ...marked });
  } catch (error) {
    await removeLink(handle, link.index);
    throw error;
  }
  return { ...link, ...marked };
}

interface Order {
  /** Where the request goes. */
  readonly maker: NamespaceHandle;
  readonly request: LinkRequest & { readonly name: string };
  readonly settings: LinkRequest;
  /** Where the link shall be. */
  readonly home: NamespaceHandle;
}

async function carryOut(order: Order): Promise<Link> {
  try {
    return await addAndLook(order, order.settings);
  } catch (error) {
    if (!isCode(error, "EINVAL", "EADDRNOTAVAIL", "ERANGE", "ENETDOWN")) throw error;
    // The kernel seldom says which setting it dislikes. Set one by one afterwards, each fails under its own field.
    return addAndLook(order, {});
  }
}

async function addAndLook({ maker, request, home }: Order, settings: LinkRequest): Promise<Link> {
  const added = maker.linkAdd({ ...request, ...settings });
  if (maker !== home) await added;
  // In the same send where it goes to the same socket: the kernel works in order.
  const [link] = await Promise.all([home.linkByName(request.name), added]);
  if (link !== undefined) return link;
  throw new SouthboundError("ENODEV", `${request.name} vanished while it was made`);
}

/** Takes away a link of ours that has the name and is in the way, and makes the link again. */
async function makeRoom(order: Order, value: Interface, { handle, marker, makeWay }: LinkContext, cause: unknown) {
  if (!isCode(cause, "EEXIST")) throw cause;
  const link = await makeWay(handle, order.request.name, value.namespace);
  if (link === undefined) {
    return carryOut(order).catch((error: unknown) => {
      throw isCode(error, "EEXIST") ? twice(value, error) : error;
    });
  }
  if (link.alias !== marker.of(value.name ?? "")) throw nameTaken(value, link, marker, cause);
  await removeLink(handle, link.index);
  return carryOut(order);
}

/** The name is free, so that it is the identifier of the type (VLAN id, VNI, tunnel addresses) that exists already. */
function twice(value: Interface, cause: unknown): unknown {
  if (!(cause instanceof SouthboundError)) return cause;
  const message = `another link does the same in ${namespaceText(value.namespace)} already: ${cause.message}`;
  return new SouthboundError(cause.code, message, { cause });
}
