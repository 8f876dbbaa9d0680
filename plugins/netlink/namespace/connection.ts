import { SouthboundError } from "#core/errors.js";
import { Reader, Writer } from "../codec/buffer.js";
import { decodeFamily } from "../codec/generic.js";
import { beginMessage, endMessage, messagesOf } from "../codec/message.js";
import type { SysctlValue } from "../sys/sysctl.js";
import type { EventGroup, NetlinkEvent, TapRequest } from "../types.js";
import type { WorkerChannel } from "../worker/channel.js";
import type { FromWorker, RefusedRequest } from "../worker/protocol.js";
import { eventGroupOf, eventIn, multicastGroups } from "./events.js";
import { checkCall, requestError } from "./failure.js";
import { familyGet } from "./generic.js";
import { InSlices } from "./in-slices.js";
import type { RequestKind } from "./operations.js";

type Results = FromWorker & { readonly kind: "results" };
/** Whole netlink messages, in order. */
export type ReplyParts = readonly Uint8Array[];

/** Requests that were made together. They are counted in the order they were made in. */
interface Pending {
  readonly count: number;
  settled: number;
  refused(which: number, failure: RefusedRequest): void;
  answered(which: number, parts: ReplyParts): void;
  /** The last of them is settled. */
  done(): void;
  /** None that is not settled will be. */
  failed(error: Error): void;
}

export interface EventSubscription {
  readonly groups: ReadonlySet<EventGroup>;
  readonly listener: (event: NetlinkEvent) => void;
  /** Wants to hear what our own requests did to routes. */
  readonly ownRoutes: boolean;
}

/** A chunk leaves early when it is this long, so that the worker starts while the rest is still being written. */
const chunkBytes = 64 * 1024;
const nothing: ReplyParts = [];
const SUCCEEDED: PromiseSettledResult<void> = { status: "fulfilled", value: undefined };

/**
 * The main thread's end of a namespace's sockets, shared by all handles of that namespace. Requests of one turn of the
 * event loop are written one after the other into one buffer, which moves to the worker at the end of the turn.
 */
export class Connection {
  /** Handles that are open. */
  references = 0;
  openedGeneric: Promise<Connection> | undefined;
  private readonly families = new Map<string, Promise<number>>();
  private readonly writer = new Writer();
  private written = 0;
  private flushing = false;
  /** In the order they were made in, which is the order they are answered in. */
  private pending: Pending[] = [];
  /** Place of the oldest that is not settled; those before it are. */
  private oldest = 0;
  private nextSequence = 1;
  private broken: Error | undefined;
  private readonly subscriptions = new Set<EventSubscription>();
  private readonly listeners = new Map<EventGroup, readonly EventSubscription["listener"][]>();
  /** Bytes of events, or that some were lost. */
  private readonly heard = new InSlices<Uint8Array | "lost">((events) => {
    if (events === "lost") this.tellLost();
    else this.deliver(events);
  });
  private readonly flushNow = () => {
    this.flushing = false;
    this.flush();
  };

  constructor(
    private readonly channel: WorkerChannel,
    /** Number by which the worker knows it. */
    readonly id: number,
    readonly identity: string,
    readonly fd: number,
    private readonly openGeneric: () => Promise<Connection>,
  ) {}

  /** The namespace's generic netlink, opened when it is first asked for. */
  generic(): Promise<Connection> {
    this.openedGeneric ??= this.openGeneric().catch((error: unknown) => {
      this.openedGeneric = undefined;
      throw error;
    });
    return this.openedGeneric;
  }

  /** The number of a generic netlink family. Fails with `ENOENT` when the kernel does not have it. */
  family(name: string): Promise<number> {
    const known = this.families.get(name);
    if (known) return known;
    const asked = this.request(familyGet, name).then(([part]) => {
      if (part) {
        const reader = new Reader(part);
        for (const { start, end } of messagesOf(reader, 0, part.length)) {
          const id = decodeFamily(reader, start, end);
          if (id !== undefined) return id;
        }
      }
      throw new SouthboundError("ENOENT", `the kernel did not say what number generic netlink family ${name} has`);
    });
    this.families.set(name, asked);
    // Its module may be loaded later.
    asked.catch(() => this.families.delete(name));
    return asked;
  }

  /**
   * Rejects with `SouthboundError` when the kernel refuses, with `InvalidInputError` when the value cannot be written.
   */
  request<T>(operation: RequestKind<T>, value: T): Promise<ReplyParts> {
    return new Promise((resolve, reject) => {
      if (this.broken) throw this.broken;
      this.write(operation, value);
      let parts = nothing;
      let refusal: Error | undefined;
      this.pending.push({
        count: 1,
        settled: 0,
        refused: (_which, failure) => {
          refusal = requestError(operation, value, failure);
        },
        answered: (_which, received) => {
          parts = received;
        },
        done: () => (refusal === undefined ? resolve(parts) : reject(refusal)),
        failed: reject,
      });
      this.sendSoon();
    });
  }

  /** Many requests that are answered with an ack. Each has its own result, in the order of the values; never rejects. */
  requestMany<T>(operation: RequestKind<T>, values: readonly T[]): Promise<readonly PromiseSettledResult<void>[]> {
    const results = new Array<PromiseSettledResult<void>>(values.length).fill(SUCCEEDED);
    const reject = (index: number, reason: unknown): void => {
      results[index] = { status: "rejected", reason };
    };
    // Places of the values that were sent.
    const sent: number[] = [];
    for (const [index, value] of values.entries()) {
      try {
        if (this.broken) throw this.broken;
        this.write(operation, value);
        sent.push(index);
      } catch (error) {
        reject(index, error);
      }
    }
    if (sent.length === 0) return Promise.resolve(results);
    return new Promise((resolve) => {
      const pending: Pending = {
        count: sent.length,
        settled: 0,
        refused(which, failure) {
          const index = sent[which] ?? -1;
          const value = values[index];
          if (value !== undefined) reject(index, requestError(operation, value, failure));
        },
        answered: () => undefined,
        done: () => resolve(results),
        failed(error) {
          for (const index of sent.slice(this.settled)) reject(index, error);
          resolve(results);
        },
      };
      this.pending.push(pending);
      this.sendSoon();
    });
  }

  private write<T>(operation: RequestKind<T>, value: T): void {
    const { writer } = this;
    const start = beginMessage(writer, operation.type, operation.flags, this.nextSequence);
    try {
      operation.encode(writer, value);
    } catch (error) {
      writer.truncate(start);
      throw error;
    }
    endMessage(writer, start);
    this.nextSequence = (this.nextSequence + 1) >>> 0;
    this.written++;
    if (writer.length >= chunkBytes) this.flush();
  }

  private sendSoon(): void {
    if (this.written === 0 || this.flushing) return;
    this.flushing = true;
    setImmediate(this.flushNow);
  }

  /** Sends what has been written so far. */
  flush(): void {
    if (this.written === 0) return;
    const bytes = this.writer.take();
    const count = this.written;
    const first = (this.nextSequence - count) >>> 0;
    this.written = 0;
    this.channel.expect(count);
    this.channel.post({ kind: "requests", namespace: this.id, first, count, bytes }, [bytes.buffer]);
  }

  /** After what has been asked for so far. */
  async tapAdd(tap: TapRequest): Promise<void> {
    this.flush();
    const result = await this.channel.call({ kind: "add-tap", namespace: this.id, tap });
    checkCall(`add link ${tap.name}`, result, "needs CAP_NET_ADMIN, and /dev/net/tun");
  }

  /** After what has been asked for so far. */
  async sysctlSet(path: string, value: SysctlValue): Promise<void> {
    this.flush();
    const result = await this.channel.call({ kind: "set-sysctl", namespace: this.id, path, value });
    checkCall(
      `set ${path} to ${"from" in value ? value.from : value.text}`,
      result,
      "needs CAP_NET_ADMIN, and /proc/sys that can be written to",
    );
  }

  complete({ first, count, failures, replies }: Results): void {
    this.channel.expect(-count);
    const refused = new Map<number, RefusedRequest>(failures.map((failure) => [failure.sequence, failure]));
    const answered = new Map<number, ReplyParts>(replies.map((reply) => [reply.sequence, reply.parts]));
    const silent = refused.size === 0 && answered.size === 0;
    for (let taken = 0; taken < count; ) {
      const pending = this.pending[this.oldest];
      if (pending === undefined) break;
      const some = Math.min(count - taken, pending.count - pending.settled);
      for (let i = 0; i < some && !silent; i++) {
        const sequence = (first + taken + i) >>> 0;
        const failure = refused.get(sequence);
        const parts = answered.get(sequence);
        if (failure) pending.refused(pending.settled + i, failure);
        else if (parts) pending.answered(pending.settled + i, parts);
      }
      taken += some;
      pending.settled += some;
      if (pending.settled < pending.count) continue;
      this.oldest++;
      pending.done();
    }
    // What is done goes when it is most of the list, so that each is moved about once.
    if (this.oldest * 2 <= this.pending.length) return;
    this.pending = this.pending.slice(this.oldest);
    this.oldest = 0;
  }

  async subscribe(subscription: EventSubscription): Promise<void> {
    this.subscriptions.add(subscription);
    try {
      checkCall("subscribe to events", await this.joinGroups(), "needs the right to listen");
    } catch (error) {
      this.subscriptions.delete(subscription);
      this.listeners.clear();
      throw error;
    }
  }

  unsubscribe(subscription: EventSubscription): void {
    if (!this.subscriptions.delete(subscription) || this.broken) return;
    // Leaving a group cannot fail, and a crash of the worker is reported to everyone anyway.
    this.joinGroups().catch(() => undefined);
  }

  /** Tells listeners of events, soon and in order. */
  hear(events: Uint8Array | "lost"): void {
    this.heard.add(events);
  }

  private tellLost(): void {
    for (const { listener } of [...this.subscriptions]) listener({ type: "lost" });
  }

  private deliver(bytes: Uint8Array): void {
    const reader = new Reader(bytes);
    for (const message of messagesOf(reader, 0, bytes.length)) {
      const group = eventGroupOf(message.type);
      if (!group) continue;
      const listeners = this.listenersTo(group);
      if (listeners.length === 0) continue;
      const event = eventIn(reader, message);
      if (event === "malformed") this.tellLost();
      else if (event) for (const listener of listeners) listener(event);
    }
  }

  /** Rejects what is in flight and everything that comes. */
  fail(error: Error): void {
    this.broken = error;
    const pending = this.pending.slice(this.oldest);
    this.pending = [];
    this.oldest = 0;
    this.written = 0;
    this.heard.clear();
    for (const each of pending) each.failed(error);
    for (const { listener } of [...this.subscriptions]) listener({ type: "closed" });
    this.subscriptions.clear();
  }

  /** Remembered until a subscription comes or goes: a flood of events asks for each of them. */
  private listenersTo(group: EventGroup): readonly EventSubscription["listener"][] {
    const known = this.listeners.get(group);
    if (known) return known;
    const listeners = [...this.subscriptions].filter(({ groups }) => groups.has(group)).map(({ listener }) => listener);
    this.listeners.set(group, listeners);
    return listeners;
  }

  private joinGroups() {
    this.listeners.clear();
    const groups = new Set([...this.subscriptions].flatMap((subscription) => [...subscription.groups]));
    const ownRoutes = [...this.subscriptions].some((each) => each.ownRoutes && each.groups.has("route"));
    return this.channel.call({ kind: "groups", namespace: this.id, groups: multicastGroups(groups), ownRoutes });
  }
}
