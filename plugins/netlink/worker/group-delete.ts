import { randomInt } from "node:crypto";
import { AttributeTable, nested } from "../codec/attributes.js";
import { align, Reader, type Writer } from "../codec/buffer.js";
import { RTM_DELLINK, RTM_GETLINK, RTM_SETLINK } from "../codec/constants.js";
import { linkHeaderBytes, linkTable, writeLinkHeader } from "../codec/link.js";
import { headerBytes, messagesOf } from "../codec/message.js";
import { s32, string, u32 } from "../codec/scalars.js";
import { ENODEV } from "../sys/errno.js";
import { messageLength, messageSequence } from "./batch.js";
import { Bundle } from "./bundle.js";
import { dumpParts } from "./dump-parts.js";
import type { Exchange } from "./exchange.js";
import { ResultCollector } from "./result-collector.js";
import { addRouteRemovals } from "./route-removals.js";

/** RTEXT_FILTER_SKIP_STATS: counters do not matter here. */
const skipStatistics = 8;
const presentTable = new AttributeTable("link that is there", {
  link: [5, s32],
  info: [18, nested(new AttributeTable("link info", { kind: [1, string] }))],
  group: [27, u32],
  linkNamespaceId: [37, s32],
});
/** From so many links on it pays to read all routes of the namespace. */
const MANY = 32;

/** A link of the namespace. */
interface Present {
  readonly group: number;
  readonly kind: string | undefined;
  /** Index of the other end of a pair, if that is in the namespace too. */
  readonly peer: number | undefined;
}

interface Deletion {
  readonly sequence: number;
  readonly index: number;
  /** Offsets of the request in its chunk. */
  readonly from: number;
  readonly to: number;
}

/**
 * Deletes links together. The kernel waits for all readers to let go of a link, which takes it ~20 ms, but it waits
 * once for all links of a group. So: put the links into a group that no link is in, and delete the group. Where that is
 * refused the links go one by one. Either way each deletion has its own answer; a link that was there and went with its
 * veth peer was deleted. Listeners see the change of group before the deletion.
 *
 * The kernel walks the whole IPv6 routing table for every link that it puts into a group (net/ipv6/route.c, rt6_sync_up) or
 * takes down (rt6_disable_ip), and the IPv4 one for every link that goes with routes (fib_flush): of many links it is told to
 * remove the routes first, which go with their links anyway.
 */
export class GroupDelete {
  private readonly deletions: readonly Deletion[];

  constructor(
    private readonly exchange: Exchange,
    private readonly chunk: Reader,
    from: number,
    count: number,
    private readonly answers: ResultCollector,
  ) {
    this.deletions = readDeletions(chunk, from, count);
  }

  run(): void {
    const links = this.deletions.length > 1 ? linksOf(this.exchange) : new Map<number, Present>();
    const together = this.deletions.filter(({ index }) => links.has(index));
    if (together.length < 2 || !this.deleteGroup(together, links)) {
      this.deleteOneByOne(this.deletions, links);
      return;
    }
    // What is not there gets its refusal from the kernel.
    this.deleteOneByOne(
      this.deletions.filter(({ index }) => !links.has(index)),
      links,
    );
  }

  /** Whether all of them are gone. In one send if it can be: who is killed in between leaves no link without its routes. */
  private deleteGroup(deletions: readonly Deletion[], links: ReadonlyMap<number, Present>): boolean {
    const group = unusedGroup(links);
    const bundle = new Bundle();
    const routes = deletions.length < MANY ? 0 : addRouteRemovals(bundle, this.exchange, goingWith(deletions, links));
    for (const { index } of deletions) bundle.add(RTM_SETLINK, (writer) => writeLink(writer, index, group));
    bundle.add(RTM_DELLINK, (writer) => writeLink(writer, 0, group));
    // A route may have gone by itself.
    return bundle.send(this.exchange).every(({ sequence }) => sequence <= routes);
  }

  /** `links` has those that were there at first, with the groups to put them back into where the kernel keeps them. */
  private deleteOneByOne(deletions: readonly Deletion[], links: ReadonlyMap<number, Present>): void {
    for (const { from, to, index, sequence } of deletions) {
      const own = new ResultCollector();
      this.exchange.send(this.chunk, from, from, to, 1, own);
      const [failure] = own.failures;
      const link = links.get(index);
      if (!failure || (failure.errno === ENODEV && link !== undefined)) continue;
      this.answers.fail(sequence, failure.errno, failure.text, failure.attributeOffset);
      if (link === undefined) continue;
      const bundle = new Bundle();
      bundle.add(RTM_SETLINK, (writer) => writeLink(writer, index, link.group));
      bundle.send(this.exchange);
    }
  }
}

/**
 * Indexes of links that go for certain, with the other ends of pairs. The kernel can refuse to delete what has no kind: then none
 * of them may lose anything before.
 */
function goingWith(deletions: readonly Deletion[], links: ReadonlyMap<number, Present>): ReadonlySet<number> {
  const going = new Set<number>();
  for (const { index } of deletions) {
    const link = links.get(index);
    if (link?.kind === undefined) return new Set();
    going.add(index);
    if (link.peer !== undefined) going.add(link.peer);
  }
  return going;
}

function readDeletions(chunk: Reader, start: number, count: number): readonly Deletion[] {
  const deletions: Deletion[] = [];
  for (let i = 0, from = start; i < count; i++) {
    const to = from + align(messageLength(chunk, from));
    const index = chunk.view.getInt32(from + headerBytes + 4, true);
    deletions.push({ sequence: messageSequence(chunk, from), index, from, to });
    from = to;
  }
  return deletions;
}

/** A group that no link of the namespace is in. */
function unusedGroup(links: ReadonlyMap<number, Present>): number {
  const used = new Set(Array.from(links.values(), ({ group }) => group));
  for (;;) {
    const group = randomInt(0x40000000, 0x7fffffff);
    if (!used.has(group)) return group;
  }
}

/** By index; empty when the kernel does not say. */
function linksOf(exchange: Exchange): ReadonlyMap<number, Present> {
  const links = new Map<number, Present>();
  const parts = dumpParts(exchange, RTM_GETLINK, (writer) => {
    writeLinkHeader(writer, 0);
    linkTable.encode(writer, { extensionMask: skipStatistics });
  });
  for (const part of parts) {
    const reader = new Reader(part);
    for (const message of messagesOf(reader, 0, part.length)) {
      const found = presentTable.decode(reader, message.start + linkHeaderBytes, message.end);
      const { group, info, link, linkNamespaceId } = found;
      if (group === undefined) continue;
      const kind = info?.kind;
      const peer = kind === "veth" && linkNamespaceId === undefined ? link : undefined;
      links.set(reader.view.getInt32(message.start + 4, true), { group, kind, peer });
    }
  }
  return links;
}

function writeLink(writer: Writer, index: number, group: number): void {
  writeLinkHeader(writer, index);
  linkTable.encode(writer, { group });
}
