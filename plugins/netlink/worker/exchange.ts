import { Reader } from "../codec/buffer.js";
import { NLM_F_DUMP_INTR, NLMSG_DONE, NLMSG_ERROR } from "../codec/constants.js";
import { headerBytes, messagesOf } from "../codec/message.js";
import { type Datagrams, MSG_DONTWAIT, MSG_WAITFORONE } from "../sys/datagrams.js";
import { EINTR, EMSGSIZE, SystemCallError } from "../sys/errno.js";
import type { NetlinkSocket } from "../sys/socket.js";
import { askForAck, messageSequence } from "./batch.js";
import type { ResultCollector } from "./result-collector.js";

/** How often a dump that changed under our hands is repeated before it is an error. */
const dumpAttempts = 32;

/**
 * Sends messages to the kernel on one socket and collects the answers. Blocks; rtnetlink answers before `send`
 * returns.
 */
export class Exchange {
  private readonly reader: Reader;

  constructor(
    private readonly socket: NetlinkSocket,
    private readonly datagrams: Datagrams,
  ) {
    this.reader = new Reader(datagrams.bytes);
  }

  /** Most bytes of one send. */
  get sendBytes(): number {
    return this.socket.sendBytes;
  }

  /**
   * Carries out `count` messages, the last of which starts at `last`. Each failure is in the answers, none is thrown.
   */
  send(chunk: Reader, from: number, last: number, to: number, count: number, answers: ResultCollector): void {
    const first = messageSequence(chunk, from);
    askForAck(chunk, last);
    try {
      this.socket.send(chunk.bytes.subarray(from, to));
    } catch (error) {
      this.failAll(first, count, error, answers);
      return;
    }
    const finalSequence = messageSequence(chunk, last);
    try {
      for (let done = false; !done; ) {
        const received = this.receive();
        for (let slot = 0; slot < received; slot++) {
          done = this.takeAnswers(slot, first, count, finalSequence, answers) || done;
        }
      }
    } catch (error) {
      this.failUnknown(first, count, error, answers);
    }
  }

  /** Carries out one dump, again when the kernel says that it was interrupted (NLM_F_DUMP_INTR). */
  dump(chunk: Reader, from: number, to: number, answers: ResultCollector): void {
    const sequence = messageSequence(chunk, from);
    for (let attempt = 1; attempt <= dumpAttempts; attempt++) {
      try {
        this.socket.send(chunk.bytes.subarray(from, to));
        if (this.receiveDump(sequence, answers)) return;
      } catch (error) {
        this.failAll(sequence, 1, error, answers);
        return;
      }
      answers.forgetReply(sequence);
    }
    answers.fail(sequence, EINTR, `the dump was interrupted by changes ${dumpAttempts} times`);
  }

  /** Whether the dump is complete and consistent. */
  private receiveDump(sequence: number, answers: ResultCollector): boolean {
    let interrupted = false;
    for (;;) {
      const received = this.receive();
      for (let slot = 0; slot < received; slot++) {
        const start = this.datagrams.offset(slot);
        const part = this.scanDump(slot, sequence);
        interrupted ||= part.interrupted;
        if (part.end > start) answers.addReply(sequence, this.datagrams.bytes.slice(start, part.end));
        if (!part.last) continue;
        if (!interrupted) answers.addLast(this.reader, part.last);
        return !interrupted;
      }
    }
  }

  /** Where the payload of a dump's datagram ends, and the message that ends the dump if it is in there. */
  private scanDump(slot: number, sequence: number) {
    if (this.datagrams.truncated(slot)) throw new SystemCallError("recvmmsg", EMSGSIZE);
    let end = this.datagrams.offset(slot);
    let interrupted = false;
    for (const message of messagesOf(this.reader, end, this.datagrams.end(slot))) {
      if (message.sequence !== sequence) continue;
      interrupted ||= (message.flags & NLM_F_DUMP_INTR) !== 0;
      if (message.type === NLMSG_DONE || message.type === NLMSG_ERROR) return { end, interrupted, last: message };
      end = message.end;
    }
    return { end, interrupted };
  }

  /** Waits for at least one datagram. */
  private receive(): number {
    for (;;) {
      const received = this.datagrams.receive(this.socket.fd, MSG_WAITFORONE);
      if (received > 0) return received;
      if (received !== -EINTR) throw new SystemCallError("recvmmsg", -received);
    }
  }

  /** Takes the answers of a datagram. Returns whether the last request is among them. */
  private takeAnswers(
    slot: number,
    first: number,
    count: number,
    finalSequence: number,
    answers: ResultCollector,
  ): boolean {
    let done = false;
    for (const message of messagesOf(this.reader, this.datagrams.offset(slot), this.datagrams.end(slot))) {
      // Left over from a send whose answers were lost.
      if ((message.sequence - first) >>> 0 >= count) continue;
      if (message.type === NLMSG_ERROR) {
        answers.addError(this.reader, message);
        if (message.sequence === finalSequence) done = true;
      } else if (this.datagrams.truncated(slot)) {
        answers.fail(message.sequence, EMSGSIZE, "the answer is longer than a datagram of this client");
      } else {
        answers.addReply(message.sequence, this.datagrams.bytes.slice(message.start - headerBytes, message.end));
      }
    }
    return done;
  }

  private failAll(first: number, count: number, error: unknown, answers: ResultCollector): void {
    if (!(error instanceof SystemCallError)) throw error;
    for (let i = 0; i < count; i++) answers.fail((first + i) >>> 0, error.errno, error.message);
  }

  /** Answers were lost: what has not failed may or may not have happened, and the caller must look. */
  private failUnknown(first: number, count: number, error: unknown, answers: ResultCollector): void {
    if (!(error instanceof SystemCallError)) throw error;
    const failed = new Set(answers.failures.map((failure) => failure.sequence));
    for (let i = 0; i < count; i++) {
      const sequence = (first + i) >>> 0;
      if (!failed.has(sequence)) answers.fail(sequence, error.errno, "the kernel's answer was lost");
    }
    while (this.datagrams.receive(this.socket.fd, MSG_DONTWAIT) > 0);
  }
}
