import { closeSync, openSync } from "node:fs";
import { type MessagePort, receiveMessageOnPort } from "node:worker_threads";
import { Reader, Writer } from "../codec/buffer.js";
import { RTM_SETLINK } from "../codec/constants.js";
import { encodeLink } from "../codec/link.js";
import { beginMessage, endMessage } from "../codec/message.js";
import { Datagrams } from "../sys/datagrams.js";
import { SystemCallError } from "../sys/errno.js";
import { libc } from "../sys/libc.js";
import { createAt, deleteAt, ownNamespacePath } from "../sys/namespaces.js";
import { POLLIN, POLLPRI, Poller } from "../sys/poller.js";
import { NetlinkSocket, type Protocol } from "../sys/socket.js";
import { clearWake } from "../sys/wake.js";
import { Exchange } from "./exchange.js";
import { NamespaceSockets, type SessionContext } from "./namespace-sockets.js";
import type { Call, FromWorker, Post, ToWorker, WorkerOptions } from "./protocol.js";
import { ResultCollector } from "./result-collector.js";

/** Enough for a send's worth of acks in a call, and for dumps of 32 KiB a datagram. Untouched memory costs nothing. */
const datagramSlots = 64;
const datagramBytes = 32 * 1024;
const loopbackIndex = 1;

interface Requests {
  readonly kind: "requests";
  readonly namespace: number;
  first: number;
  from: number;
  chunk: Reader;
}

type Work = Requests | Exclude<ToWorker, { readonly kind: "requests" }>;

/**
 * The worker thread's life: wait in `poll` until the main thread, a namespace's events or the mount table have
 * something, do one piece of work, look again. Between two pieces events are handed on, so a long chunk of requests
 * does not hold them up.
 */
export class WorkerLoop {
  private readonly home = openSync(ownNamespacePath, "r");
  private readonly poller = new Poller();
  private readonly datagrams = new Datagrams(datagramSlots, datagramBytes);
  private readonly sessions = new Map<number, NamespaceSockets>();
  private readonly queue: Work[] = [];
  private readonly context: SessionContext;
  private mounts: number | undefined;
  private stopped = false;

  constructor(
    private readonly port: MessagePort,
    private readonly options: WorkerOptions,
  ) {
    const post: Post = (message, transfer = []) => port.postMessage(message, transfer);
    this.context = { home: this.home, options, poller: this.poller, datagrams: this.datagrams, post };
    this.poller.add(options.wakeFd, POLLIN, () => this.receive());
  }

  /** Returns when the main thread said stop; every descriptor is closed by then. */
  run(): void {
    while (!this.stopped) {
      this.poller.poll(this.queue.length > 0 ? 0 : -1);
      this.work();
    }
    for (const session of this.sessions.values()) session.close();
    if (this.mounts !== undefined) closeSync(this.mounts);
    closeSync(this.home);
  }

  private receive(): void {
    clearWake(this.options.wakeFd);
    for (;;) {
      const received: { readonly message: ToWorker } | undefined = receiveMessageOnPort(this.port);
      if (!received) return;
      const { message } = received;
      if (message.kind === "requests") this.enqueueRequests(message);
      else this.queue.push(message);
    }
  }

  /** Joins what has piled up for the same namespace, so that it can leave together. */
  private enqueueRequests({ namespace, first, bytes }: ToWorker & { readonly kind: "requests" }): void {
    const last = this.queue.at(-1);
    if (last?.kind === "requests" && last.namespace === namespace && last.from === 0) {
      const earlier = last.chunk.bytes;
      if (earlier.length + bytes.length <= this.options.batchBytes) {
        const joined = new Uint8Array(earlier.length + bytes.length);
        joined.set(earlier);
        joined.set(bytes, earlier.length);
        last.chunk = new Reader(joined);
        return;
      }
    }
    this.queue.push({ kind: "requests", namespace, first, from: 0, chunk: new Reader(bytes) });
  }

  private work(): void {
    const work = this.queue[0];
    if (!work) return;
    if (work.kind === "requests" && this.carryOut(work)) return;
    this.queue.shift();
    if (work.kind === "requests") return;
    if (work.kind === "stop") this.stopped = true;
    else this.answer(work.call, () => this.call(work));
  }

  /** Whether there is more to do. */
  private carryOut(work: Requests): boolean {
    const session = this.sessions.get(work.namespace);
    // The main thread gave up on the namespace, and with it on the answers.
    if (!session) return false;
    const left = session.carryOut(work.chunk, work.from, work.first);
    work.from = left.from;
    work.first = left.first;
    return work.from < work.chunk.bytes.length;
  }

  private call(work: Call): void {
    switch (work.kind) {
      case "open":
        this.open(work.namespace, work.fd, work.protocol);
        return;
      case "groups":
        this.sessions.get(work.namespace)?.join(work.groups, work.ownRoutes);
        return;
      case "close":
        this.sessions.get(work.namespace)?.close();
        this.sessions.delete(work.namespace);
        return;
      case "add-tap":
        this.sessions.get(work.namespace)?.addTap(work.tap);
        return;
      case "set-sysctl":
        this.sessions.get(work.namespace)?.setSysctl(work.path, work.value);
        return;
      case "create-named":
        createAt(work.directory, work.path, this.home, () => this.prepareLoopback(work.alias));
        return;
      case "delete-named":
        deleteAt(work.path);
        return;
      case "watch-mounts":
        this.watchMounts();
    }
  }

  private open(namespace: number, fd: number, protocol: Protocol): void {
    try {
      this.sessions.set(namespace, new NamespaceSockets(this.context, namespace, fd, protocol));
    } catch (error) {
      libc.close(fd);
      throw error;
    }
  }

  private answer(call: number, action: () => void): void {
    let answer: FromWorker = { kind: "called", call, errno: 0, text: "" };
    try {
      action();
    } catch (error) {
      const errno = errnoOf(error);
      if (errno === undefined) throw error;
      answer = { kind: "called", call, errno, text: (error as Error).message };
    }
    this.context.post(answer);
  }

  /** In the namespace that the thread is in. */
  private prepareLoopback(alias: string | undefined): void {
    const socket = NetlinkSocket.open(this.options.receiveBufferBytes);
    try {
      const writer = new Writer();
      const start = beginMessage(writer, RTM_SETLINK, 0, 1);
      encodeLink(writer, { index: loopbackIndex, up: true, ...(alias === undefined ? {} : { alias }) });
      endMessage(writer, start);
      const bytes = writer.take();
      const answers = new ResultCollector();
      new Exchange(socket, this.datagrams).send(new Reader(bytes), 0, start, bytes.length, 1, answers);
      const failure = answers.failures[0];
      if (failure) throw new SystemCallError("set up the loopback", failure.errno);
    } finally {
      socket.close();
    }
  }

  /** proc(5): a mount table's file is ready with POLLPRI when the table changed since the last poll. */
  private watchMounts(): void {
    if (this.mounts !== undefined) return;
    this.mounts = openSync("/proc/thread-self/mountinfo", "r");
    this.poller.add(this.mounts, POLLPRI, () => this.context.post({ kind: "mounts" }));
  }
}

/** The errno of a failed system call, ours or Node's; `undefined` for any other error. */
function errnoOf(error: unknown): number | undefined {
  if (error instanceof SystemCallError) return error.errno;
  // Node counts libuv's way: negated.
  if (error instanceof Error && "errno" in error && typeof error.errno === "number") return -error.errno;
  return undefined;
}
