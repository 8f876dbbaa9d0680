import { SouthboundError } from "#core/errors.js";
import type { Dependency, InvalidField } from "#core/scheduler/api/scheduler.js";
import type { Link, LinkRequest, NamespaceHandle } from "#plugins/netlink/index.js";
import { type Interface, interfaceKey } from "#proto/index.js";
import { isCode, namespaceText } from "../../namespaces/index.js";
import { interfacePeerKey } from "../derived-keys.js";
import { hostNameOf } from "../host-name.js";
import type { LinkContext, LinkType } from "../link-type.js";
import { findMarked, nameTaken, removeLink } from "../links.js";
import type { Marker } from "../marker.js";
import { chosenSettings } from "../settings.js";
import { ETHERNET_MTU } from "./kernel-link.js";
import { readOffloads, sameOffloads, setOffloads } from "./offloads.js";

/**
 * One end of a virtual Ethernet pair, veth(4). The end whose name sorts first makes the pair, both ends in their own
 * namespaces at once, when the other end is ready too; the other end depends on it and finds its link made. The kernel
 * removes both ends together, so that deleting the first end is enough.
 */
export const veth: LinkType = {
  type: "VETH",
  field: "veth",
  kinds: ["veth"],
  movable: true,
  defaultMtu: async () => ETHERNET_MTU,

  validate: (value) => validatePeer(value),

  dependencies(value): readonly Dependency[] {
    const peer = peerName(value);
    if (peer === "") return [];
    const label = `interface ${peer} with ${value.name} as its peer`;
    return isFirst(value) ? [{ label, peer: interfaceKey(peer) }] : [{ label, key: pairKey(value) }];
  },

  derivedValues: (value) => (isFirst(value) ? [{ key: pairKey(value), value: {} }] : []),

  async create(value, context) {
    const link = await (isFirst(value) ? createPair(value, context) : findEnd(value, context));
    try {
      await setOffloads(context.handle, link.index, undefined, value.veth);
    } catch (error) {
      if (isFirst(value)) await removeLink(context.handle, link.index);
      throw error;
    }
    return link;
  },

  same: (a, b) => sameOffloads(a.veth, b.veth),

  /** A retrieved value lacks its own part when the other end is where nobody looked. */
  recreates: (oldValue, newValue) =>
    oldValue.veth !== undefined && newValue.veth !== undefined && peerName(oldValue) !== peerName(newValue),

  update: (before, after, index, { handle }) => setOffloads(handle, index, before.veth, after.veth),

  async remove(value, index, context) {
    const stays = context.desired(value.name ?? "");
    const leavesPair = stays !== undefined && (stays.type !== "VETH" || peerName(stays) !== peerName(value));
    const isSecond = peerName(value) !== "" && !isFirst(value);
    if (isSecond && !leavesPair) return;
    await removeLink(context.handle, index);
  },

  async decode(found, links, expected) {
    const [peer, offloads] = await Promise.all([
      links.linkedName(found),
      readOffloads(found.handle, found.link.index, expected?.veth),
    ]);
    if (peer === undefined) return expected?.veth === undefined ? {} : { veth: { ...expected.veth, ...offloads } };
    return { veth: peer === "" ? offloads : { peer_if_name: peer, ...offloads } };
  },
};

function validatePeer({ name, veth: own }: Interface): readonly InvalidField[] {
  const field = "veth.peer_if_name";
  if (!own?.peer_if_name)
    return [{ field, problem: "is missing, expected the name of the interface at the other end" }];
  return own.peer_if_name === name ? [{ field, problem: `is "${name}", the interface itself` }] : [];
}

function peerName(value: Interface): string {
  return value.veth?.peer_if_name ?? "";
}

function isFirst(value: Interface): boolean {
  return (value.name ?? "") < peerName(value);
}

/** What the first end of a pair derives and the second waits for. */
function pairKey(value: Interface): string {
  const [own, peer] = [value.name ?? "", peerName(value)];
  return isFirst(value) ? interfacePeerKey(own, peer) : interfacePeerKey(peer, own);
}

/** One end of a pair: its value, and the namespace it goes to. */
interface End {
  readonly value: Interface;
  readonly handle: NamespaceHandle;
}

/** Makes both ends, then marks them and sets them up. Returns the end that `value` describes. */
async function createPair(value: Interface, context: LinkContext): Promise<Link> {
  const peer = desiredPeer(value, context);
  const lease = await context.acquire(peer.namespace, peer.name ?? "");
  try {
    const near = { value, handle: context.handle };
    const far = { value: peer, handle: lease.handle };
    const link = await addPair(near, far, context);
    try {
      // The kernel tells of each end which one is the other.
      const farIndex = link.link ?? (await madeEnd(far)).index;
      const [made] = await Promise.all([
        finishEnd(near, link.index, context.marker),
        finishEnd(far, farIndex, context.marker),
      ]);
      return { ...link, ...made };
    } catch (error) {
      await removeLink(context.handle, link.index);
      throw error;
    }
  } finally {
    lease.release();
  }
}

/** An end cannot be made up at once: drivers/net/veth.c, veth_open, refuses until both ends know each other. */
async function finishEnd({ handle, value }: End, index: number, marker: Marker): Promise<Finished> {
  const finished = { alias: marker.of(value.name ?? ""), group: 0, up: value.enabled ?? false };
  await handle.linkSet({ index, ...finished });
  return finished;
}

type Finished = Required<Pick<Link, "alias" | "group" | "up">>;

function desiredPeer(value: Interface, context: LinkContext): Interface {
  const name = peerName(value);
  const peer = context.desired(name);
  if (peer?.type === "VETH" && peerName(peer) === value.name) return peer;
  const is = peer?.type === "VETH" ? `has ${peerName(peer)} as its peer` : `is of type ${peer?.type ?? "UNDEFINED"}`;
  const message = `${value.name} and ${name} are no pair: ${name} ${is}`;
  throw new SouthboundError("PEER_MISMATCH", message, { field: "veth.peer_if_name" });
}

/**
 * Adds the pair in one request, and returns the near end. A pair of ours that is there already is taken over; other orphans of
 * ours are cleared away.
 */
async function addPair(near: End, far: End, context: LinkContext): Promise<Link> {
  const { marker } = context;
  try {
    return await addOnce(near, far, marker);
  } catch (error) {
    if (!isCode(error, "EEXIST")) throw error;
    if (await isPairOfOurs(near, far, marker)) return madeEnd(near);
    await clearName(near, far, context, error);
    await clearName(far, near, context, error);
    return addOnce(near, far, marker);
  }
}

async function addOnce(near: End, far: End, marker: Marker): Promise<Link> {
  const add = async (settings: (value: Interface) => Partial<LinkRequest>): Promise<Link> => {
    const request = ({ value }: End) => ({
      ...settings(value),
      name: hostNameOf(value, veth),
      group: marker.unfinishedGroup,
    });
    const peer = { ...request(far), namespace: far.handle };
    // The look leaves in the same send, and the kernel works in order.
    const added = near.handle.linkAdd({ ...request(near), kind: "veth", peer });
    const [, link] = await Promise.all([added, madeEnd(near)]);
    return link;
  };
  try {
    return await add(chosenSettings);
  } catch (error) {
    // The kernel does not say which setting of which end it dislikes. Set one by one afterwards, each fails under its own key.
    if (!isCode(error, "EINVAL", "EADDRNOTAVAIL")) throw error;
    return add(() => ({}));
  }
}

async function isPairOfOurs(near: End, far: End, marker: Marker): Promise<boolean> {
  const link = await near.handle.linkByName(hostNameOf(near.value, veth));
  if (link?.alias !== marker.of(near.value.name ?? "")) return false;
  return isJoinedTo(link, far, marker);
}

/** Removes a link of ours that has the end's host name. Throws `EEXIST` when it is not ours. */
async function clearName(end: End, other: End, { marker, makeWay }: LinkContext, cause: unknown): Promise<void> {
  const link = await makeWay(end.handle, hostNameOf(end.value, veth), end.value.namespace);
  if (link === undefined) return;
  const isOurs =
    link.alias === marker.of(end.value.name ?? "") ||
    (link.alias === undefined && (await isJoinedTo(link, other, marker)));
  if (!isOurs) throw nameTaken(end.value, link, marker, cause);
  await removeLink(end.handle, link.index);
}

/** Is the link's other end the one that carries the mark of `end`? */
async function isJoinedTo(link: Link, { value, handle }: End, marker: Marker): Promise<boolean> {
  if (link.kind !== "veth" || link.link === undefined) return false;
  const peer = await handle.linkByIndex(link.link);
  return peer?.link === link.index && peer.alias === marker.of(value.name ?? "");
}

async function madeEnd({ handle, value }: End): Promise<Link> {
  const hostName = hostNameOf(value, veth);
  const link = await handle.linkByName(hostName);
  if (link !== undefined) return link;
  throw new SouthboundError("ENODEV", `${hostName} vanished from ${namespaceText(value.namespace)} while it was made`);
}

/** The other end's link, which {@link createPair} made. */
async function findEnd(value: Interface, { handle, marker }: LinkContext): Promise<Link> {
  const link = await findMarked(handle, hostNameOf(value, veth), marker.of(value.name ?? ""));
  if (link !== undefined) return link;
  const where = namespaceText(value.namespace);
  throw new SouthboundError("ENODEV", `the pair with ${peerName(value)} has no end for ${value.name} in ${where}`);
}
