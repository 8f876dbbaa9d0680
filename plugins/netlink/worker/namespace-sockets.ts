import { Reader, Writer } from "../codec/buffer.js";
import { RTM_SETLINK } from "../codec/constants.js";
import { encodeLink } from "../codec/link.js";
import { beginMessage, endMessage } from "../codec/message.js";
import { type Datagrams, MSG_DONTWAIT } from "../sys/datagrams.js";
import { EAGAIN, EINTR, ENOBUFS, SystemCallError } from "../sys/errno.js";
import { libc } from "../sys/libc.js";
import { inNamespace } from "../sys/namespaces.js";
import { POLLIN, type Poller } from "../sys/poller.js";
import { NetlinkSocket, type Protocol } from "../sys/socket.js";
import { type SysctlValue, setSysctl } from "../sys/sysctl.js";
import { addTunDevice } from "../sys/tun.js";
import type { TapRequest } from "../types.js";
import { type BatchLimits, lastMessage, nextBatch } from "./batch.js";
import { Exchange } from "./exchange.js";
import { GroupDelete } from "./group-delete.js";
import type { Post, WorkerOptions } from "./protocol.js";
import { ResultCollector } from "./result-collector.js";

/** What the sessions of a worker share. */
export interface SessionContext {
  /** The namespace that the thread lives in. */
  readonly home: number;
  readonly options: WorkerOptions;
  readonly poller: Poller;
  readonly datagrams: Datagrams;
  readonly post: Post;
}

const receivesPerTurn = 16;

/** The sockets of one namespace: one for requests, and one for events once somebody listens. */
export class NamespaceSockets {
  private readonly requests: NetlinkSocket;
  private readonly exchange: Exchange;
  private readonly limits: BatchLimits;
  private events: NetlinkSocket | undefined;
  private groups: ReadonlySet<number> = new Set();
  /** The kernel has dropped events, and what it kept has not all been read. */
  private overrun = false;
  private hearsOwnRoutes = true;

  constructor(
    private readonly context: SessionContext,
    private readonly namespace: number,
    private readonly fd: number,
    protocol: Protocol,
  ) {
    const { options } = context;
    this.requests = inNamespace(fd, context.home, () => NetlinkSocket.open(options.receiveBufferBytes, protocol));
    this.exchange = new Exchange(this.requests, context.datagrams);
    this.limits = {
      protocol,
      messages: options.batchMessages,
      bytes: options.batchBytes,
      receiveBufferBytes: this.requests.receiveBufferBytes,
    };
  }

  /**
   * Carries out one piece of a chunk, from offset `from` and sequence number `first` on, and posts its results.
   * Returns what is left.
   */
  carryOut(chunk: Reader, from: number, first: number): { readonly from: number; readonly first: number } {
    const batch = nextBatch(chunk, from, this.limits);
    const { to, count } = batch;
    const answers = new ResultCollector();
    if (batch.kind === "dump") this.exchange.dump(chunk, from, to, answers);
    else if (batch.kind === "delete-links") new GroupDelete(this.exchange, chunk, from, count, answers).run();
    else this.exchange.send(chunk, from, lastMessage(chunk, from, count), to, count, answers);
    const { failures, replies, transfer } = answers;
    this.context.post({ kind: "results", namespace: this.namespace, first, count, failures, replies }, transfer);
    return { from: to, first: (first + count) >>> 0 };
  }

  join(groups: readonly number[], ownRoutes: boolean): void {
    const desired = new Set(groups);
    if (desired.size > 0) {
      const events = this.openEvents();
      if (ownRoutes !== this.hearsOwnRoutes) {
        if (ownRoutes) events.hearEverything();
        else events.ignoreRoutesOf(this.requests.port);
        this.hearsOwnRoutes = ownRoutes;
      }
      for (const group of desired) if (!this.groups.has(group)) events.join(group);
    }
    for (const group of this.groups) if (!desired.has(group)) this.events?.leave(group);
    this.groups = desired;
  }

  /** The device stays once it has its alias, and goes by itself if this process ends before. */
  addTap(tap: TapRequest): void {
    inNamespace(this.fd, this.context.home, () => addTunDevice(tap, () => this.setAlias(tap.name, tap.alias)));
  }

  setSysctl(path: string, value: SysctlValue): void {
    inNamespace(this.fd, this.context.home, () => setSysctl(path, value));
  }

  close(): void {
    if (this.events) this.context.poller.remove(this.events.fd);
    this.events?.close();
    this.requests.close();
    libc.close(this.fd);
  }

  private setAlias(name: string, alias: string): void {
    const writer = new Writer();
    const start = beginMessage(writer, RTM_SETLINK, 0, 1);
    encodeLink(writer, { name, alias });
    endMessage(writer, start);
    const bytes = writer.take();
    const answers = new ResultCollector();
    this.exchange.send(new Reader(bytes), 0, start, bytes.length, 1, answers);
    const [failure] = answers.failures;
    if (failure) throw new SystemCallError(`set alias of ${name}`, failure.errno);
  }

  private openEvents(): NetlinkSocket {
    if (this.events) return this.events;
    const { options, home, poller } = this.context;
    const events = inNamespace(this.fd, home, () => NetlinkSocket.open(options.eventBufferBytes));
    this.events = events;
    poller.add(events.fd, POLLIN, () => this.receiveEvents(events));
    return events;
  }

  /** Hands on what has arrived, up to a bound: requests must get their turn in a flood of events. */
  private receiveEvents(events: NetlinkSocket): void {
    const { datagrams, post } = this.context;
    for (let round = 0; round < receivesPerTurn; round++) {
      const received = datagrams.receive(events.fd, MSG_DONTWAIT);
      if (received === -EINTR) continue;
      if (received === -ENOBUFS) {
        this.overrun = true;
        continue;
      }
      if (received < 0 && received !== -EAGAIN) {
        // Loses events as well.
        post({ kind: "lost", namespace: this.namespace });
        return;
      }
      if (received > 0) this.postEvents(received);
      if (received < datagrams.slots) {
        this.tellOfOverrun();
        return;
      }
    }
  }

  /**
   * Tells of events that the kernel dropped, once nothing is left in the buffer: until then it drops every other event too, and says so no
   * more (NETLINK_S_CONGESTED, cleared by netlink_rcv_wake), so that a dump made before could miss them.
   */
  private tellOfOverrun(): void {
    if (!this.overrun) return;
    this.overrun = false;
    this.context.post({ kind: "lost", namespace: this.namespace });
  }

  private postEvents(received: number): void {
    const { datagrams, post } = this.context;
    let length = 0;
    for (let slot = 0; slot < received; slot++) length += datagrams.end(slot) - datagrams.offset(slot);
    const bytes = new Uint8Array(length);
    let at = 0;
    let truncated = false;
    for (let slot = 0; slot < received; slot++) {
      truncated ||= datagrams.truncated(slot);
      bytes.set(datagrams.bytes.subarray(datagrams.offset(slot), datagrams.end(slot)), at);
      at += datagrams.end(slot) - datagrams.offset(slot);
    }
    post({ kind: "events", namespace: this.namespace, bytes }, [bytes.buffer]);
    if (truncated) post({ kind: "lost", namespace: this.namespace });
  }
}
