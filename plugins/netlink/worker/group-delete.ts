import { randomInt } from "node:crypto";
import { AttributeTable } from "../codec/attributes.js";
import { align, Reader, Writer } from "../codec/buffer.js";
import { NLM_F_DUMP, RTM_DELLINK, RTM_GETLINK, RTM_SETLINK } from "../codec/constants.js";
import { linkHeaderBytes, linkTable, writeLinkHeader } from "../codec/link.js";
import { beginMessage, endMessage, headerBytes, messagesOf } from "../codec/message.js";
import { u32 } from "../codec/scalars.js";
import { ENODEV } from "../sys/errno.js";
import { Answers } from "./answers.js";
import { messageLength, messageSequence } from "./batch.js";
import type { Exchange } from "./exchange.js";

/** RTEXT_FILTER_SKIP_STATS: only index and group matter here. */
const skipStatistics = 8;
const groupTable = new AttributeTable("link group", { group: [27, u32] });
/** Few enough that their answers fit even the smallest receive buffer. */
const perSend = 64;

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
 */
export class GroupDelete {
  private readonly deletions: readonly Deletion[];

  constructor(
    private readonly exchange: Exchange,
    private readonly chunk: Reader,
    from: number,
    count: number,
    private readonly answers: Answers,
  ) {
    this.deletions = readDeletions(chunk, from, count);
  }

  run(): void {
    const groups = this.deletions.length > 1 ? groupsOfLinks(this.exchange) : new Map<number, number>();
    const together = this.deletions.filter(({ index }) => groups.has(index));
    if (together.length < 2 || !this.deleteGroup(together, unusedGroup(groups))) {
      this.deleteOneByOne(this.deletions, groups);
      return;
    }
    // What is not there gets its refusal from the kernel.
    this.deleteOneByOne(
      this.deletions.filter(({ index }) => !groups.has(index)),
      groups,
    );
  }

  /** Whether all of them are gone. */
  private deleteGroup(deletions: readonly Deletion[], group: number): boolean {
    const entered = this.setGroups(deletions.map(({ index }) => ({ index, group })));
    return entered && carryOut(this.exchange, [{ type: RTM_DELLINK, index: 0, group }]);
  }

  private setGroups(changes: readonly { readonly index: number; readonly group: number }[]): boolean {
    let done = true;
    for (let from = 0; from < changes.length; from += perSend) {
      const part = changes.slice(from, from + perSend);
      done =
        carryOut(
          this.exchange,
          part.map((change) => ({ type: RTM_SETLINK, ...change })),
        ) && done;
    }
    return done;
  }

  /**
   * `groups` has the links that were there at first, with the groups to put them back into where the kernel keeps
   * them.
   */
  private deleteOneByOne(deletions: readonly Deletion[], groups: ReadonlyMap<number, number>): void {
    for (const { from, to, index, sequence } of deletions) {
      const own = new Answers();
      this.exchange.send(this.chunk, from, from, to, 1, own);
      const [failure] = own.failures;
      const group = groups.get(index);
      if (!failure || (failure.errno === ENODEV && group !== undefined)) continue;
      this.answers.fail(sequence, failure.errno, failure.text, failure.attributeOffset);
      if (group !== undefined) this.setGroups([{ index, group }]);
    }
  }
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
function unusedGroup(groups: ReadonlyMap<number, number>): number {
  const used = new Set(groups.values());
  for (;;) {
    const group = randomInt(0x40000000, 0x7fffffff);
    if (!used.has(group)) return group;
  }
}

/** Group by link index; empty when the kernel does not say. */
function groupsOfLinks(exchange: Exchange): ReadonlyMap<number, number> {
  const writer = new Writer();
  const start = beginMessage(writer, RTM_GETLINK, NLM_F_DUMP, 1);
  writeLinkHeader(writer, 0);
  linkTable.encode(writer, { extensionMask: skipStatistics });
  endMessage(writer, start);
  const bytes = writer.take();
  const answers = new Answers();
  exchange.dump(new Reader(bytes), 0, bytes.length, answers);
  const groups = new Map<number, number>();
  for (const part of answers.failures.length > 0 ? [] : answers.replies.flatMap((reply) => reply.parts)) {
    const reader = new Reader(part);
    for (const message of messagesOf(reader, 0, part.length)) {
      const { group } = groupTable.decode(reader, message.start + linkHeaderBytes, message.end);
      if (group !== undefined) groups.set(reader.view.getInt32(message.start + 4, true), group);
    }
  }
  return groups;
}

/** Sends a few messages about links in one send. Whether all of them succeeded. */
function carryOut(
  exchange: Exchange,
  messages: readonly { readonly type: number; readonly index: number; readonly group: number }[],
): boolean {
  const writer = new Writer();
  let last = 0;
  messages.forEach(({ type, index, group }, i) => {
    last = beginMessage(writer, type, 0, i + 1);
    writeLinkHeader(writer, index);
    linkTable.encode(writer, { group });
    endMessage(writer, last);
  });
  const bytes = writer.take();
  const answers = new Answers();
  exchange.send(new Reader(bytes), 0, last, bytes.length, messages.length, answers);
  return answers.failures.length === 0;
}
