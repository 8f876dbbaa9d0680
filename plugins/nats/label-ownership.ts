import { hostname } from "node:os";
import { ErrorCode, type Msg, NatsError, nuid, type Subscription } from "nats";
import type { AgentInfo } from "#core/agent/types.js";
import type { Logger } from "#core/logging/types.js";
import { ownerSubject } from "#proto/nats.js";
import type { NatsConfig } from "./config.js";
import type { BusConnection, NatsConditions, NatsSession, SessionListener, Sessions } from "./connection.js";
import {
  type Announcement,
  claimWins,
  decodeAnnouncement,
  describeOwner,
  type Intent,
  Others,
  type ReceivedAnnouncement,
  sharedLabel,
} from "./owner-announcement.js";
import type { ReplySubjects } from "./reply-subjects.js";

interface OwnershipContext {
  readonly config: NatsConfig;
  readonly agent: AgentInfo;
  readonly bus: BusConnection;
  readonly replySubjects: ReplySubjects;
  readonly conditions: NatsConditions;
  readonly log: Logger;
}

/** Who waits says so, and looks at the clock, so many times within a lease. */
const BEATS = 4;
/** An owner that hears of nobody else says so every so many leases: after a split of the bus two may own. */
const SILENT_LEASES = 6;

/**
 * Sees to it that of several agents with one label one alone serves the bus: requests would be shared out among them otherwise. Two
 * hosts with one label are a mistake; so all of them say so, and those that do not own the label leave their hosts as they are.
 *
 * They speak on `tenuto.<label>.owner`, not in a bucket: it works without JetStream and whatever a bucket loses, and nothing is
 * written as long as an agent is alone. Who comes asks; nobody there, and the label is his. Otherwise he waits, and asks again and again;
 * an owner that has not answered for a lease is succeeded with a higher term. Of two that own at once, one yields.
 */
export class LabelOwnership implements Sessions {
  private readonly context: OwnershipContext;
  private readonly subject: string;
  private readonly listeners: SessionListener[] = [];
  private readonly instance = nuid.next();
  private readonly since = new Date().toISOString();
  private term = 0;
  private state: "asking" | "owns" | "waits" | "apart" = "apart";
  /** The connection, and the session that ends with it or with the ownership. */
  private connectedSession: NatsSession | undefined;
  private subscription: Subscription | undefined;
  private currentSession: NatsSession | undefined;
  private yielding = new AbortController();
  /** This agent was the owner when it was connected last. */
  private ownedLast = false;
  /** The owner as it was last heard of, and others that wait. */
  private owner: ReceivedAnnouncement | undefined;
  private readonly others = new Others();
  private clock: NodeJS.Timeout | undefined;
  private ticked = performance.now();
  private spoken = Number.NEGATIVE_INFINITY;
  /** No owner is to be succeeded before this time. */
  private patientUntil = Number.NEGATIVE_INFINITY;

  constructor(context: OwnershipContext) {
    this.context = context;
    this.subject = ownerSubject(context.agent.label);
    context.bus.onSession((session) => this.connect(session));
  }

  onSession(listener: SessionListener): void {
    this.listeners.push(listener);
  }

  get session(): NatsSession | undefined {
    return this.currentSession;
  }

  get connected(): NatsSession | undefined {
    return this.connectedSession;
  }

  get maxMessage(): number {
    return this.context.bus.maxMessage;
  }

  /** Has another agent the label? */
  get standsBy(): boolean {
    return this.state === "waits";
  }

  /** Whether the agent has run all the time: one that was frozen does not know yet whether it was succeeded. */
  get isSure(): boolean {
    return performance.now() - this.ticked < this.context.config.owner_lease;
  }

  /** Leaves the label to whoever waits for it. */
  close(): void {
    if (this.state === "owns" && this.connectedSession !== undefined) this.say("leaves");
    this.disconnect();
  }

  private connect(session: NatsSession): void {
    const { conditions, config } = this.context;
    conditions.impaired("ownership", "it is not known yet whether another agent has the same label");
    this.connectedSession = session;
    session.signal.addEventListener("abort", () => this.disconnect(), { once: true });
    // The owner that was heard of may be on its way back as well.
    if (this.owner !== undefined) this.patientUntil = performance.now() + config.owner_lease;
    this.ticked = performance.now();
    this.clock = setInterval(() => this.tick(), config.owner_lease / BEATS);
    this.clock.unref();
    void this.ask(session);
  }

  private disconnect(): void {
    clearInterval(this.clock);
    this.connectedSession = undefined;
    this.subscription = undefined;
    this.ownedLast = this.state === "owns";
    this.state = "apart";
    this.end();
  }

  /** Nobody who is there, and the label is ours at once. */
  private async ask(session: NatsSession): Promise<void> {
    this.ownedLast ||= this.state === "owns";
    this.end();
    this.state = "asking";
    this.subscription?.unsubscribe();
    const { connection, signal } = session;
    const { config, log } = this.context;
    const timeout = config.owner_lease;
    try {
      // Before the own subscription, so that the server can say that nobody listens.
      const answer = await connection.request(this.subject, this.encode("asks"), { timeout });
      const announcement = this.note(answer);
      // Whoever waits has heard of no owner but us.
      if (announcement?.intent === "waits" && !this.ownedLast) this.patientUntil = performance.now() + timeout;
    } catch (error) {
      if (signal.aborted) return;
      const isAlone = error instanceof NatsError && error.code === ErrorCode.NoResponders;
      if (isRefused(error)) log.warn(`not allowed on ${this.subject}: other agents with this label are not noticed`);
      if (isAlone && performance.now() >= this.patientUntil) this.owner = undefined;
      // Somebody listens and does not answer: an owner that hangs, which keeps the label for a lease.
      else if (!isRefused(error)) this.patientUntil = Math.max(this.patientUntil, performance.now() + timeout);
    }
    if (signal.aborted) return;
    this.subscription = connection.subscribe(this.subject, {
      callback: (error, message) => error === null && this.hear(message),
    });
    if (this.owner === undefined && performance.now() >= this.patientUntil) this.own();
    else this.wait();
  }

  private tick(): void {
    const now = performance.now();
    const { owner_lease } = this.context.config;
    const late = now - this.ticked > owner_lease;
    this.ticked = now;
    this.others.forget(now - 2 * owner_lease);
    if (this.state === "owns") {
      // It may have been succeeded while it was frozen.
      if (late && this.connectedSession !== undefined) void this.ask(this.connectedSession);
      else if (now - this.spoken > SILENT_LEASES * owner_lease) this.say("owns");
      this.report();
      return;
    }
    if (this.state !== "waits") return;
    this.say("waits");
    // What came while the event loop was busy is not heard yet.
    setImmediate(() => this.succeed());
  }

  private succeed(): void {
    const now = performance.now();
    const { owner_lease } = this.context.config;
    const free = Math.max(this.patientUntil, (this.owner?.at ?? Number.NEGATIVE_INFINITY) + owner_lease);
    // Of several that wait the one that has run longest comes first; if it does not, it is gone.
    const turn = this.others.isFirst(this.announcement("waits")) ? free : free + owner_lease;
    if (this.state !== "waits" || now < turn) return;
    this.term = Math.max(this.term, this.owner?.announcement.term ?? 0) + 1;
    this.own();
  }

  private hear(message: Msg): void {
    const announcement = this.note(message);
    if (announcement === undefined || this.connectedSession === undefined) return;
    if (this.state === "owns") this.hearAsOwner(announcement, message);
    else if (this.state === "waits") this.hearWaiting(announcement, message);
  }

  private hearAsOwner(announcement: Announcement, message: Msg): void {
    const { intent } = announcement;
    if (intent === "owns" && claimWins(announcement, this.announcement("owns"))) {
      this.wait();
      return;
    }
    if (intent === "asks") this.answer(message, "owns");
    else if (intent !== "leaves") this.say("owns");
    this.report();
  }

  private hearWaiting({ intent }: Announcement, message: Msg): void {
    if (intent === "owns") this.report();
    if (intent === "asks") this.answer(message, "waits");
    if (intent !== "leaves") return;
    // Those that wait may not know of each other yet.
    this.patientUntil = performance.now() + this.context.config.owner_lease / BEATS;
    this.say("waits");
  }

  /** An asker's word where to answer counts as little as that of any request. */
  private answer(message: Msg, intent: Intent): void {
    if (this.context.replySubjects.allows(message.reply)) message.respond(this.encode(intent));
  }

  /** Remembers who is there. Returns nothing for what we said ourselves, and for what makes no sense. */
  private note({ data }: Msg): Announcement | undefined {
    const announcement = decodeAnnouncement(data);
    if (announcement === undefined || announcement.instance === this.instance) return undefined;
    const heard = { announcement, at: performance.now() };
    if (announcement.intent === "owns") {
      this.owner = heard;
      this.others.remove(announcement);
      this.patientUntil = Number.NEGATIVE_INFINITY;
    } else if (announcement.intent === "leaves") {
      if (this.owner?.announcement.instance === announcement.instance) this.owner = undefined;
      this.others.remove(announcement);
    } else this.others.add(heard);
    return announcement;
  }

  private own(): void {
    const connected = this.connectedSession;
    if (connected === undefined || this.state === "owns") return;
    const before = this.owner;
    this.owner = undefined;
    this.state = "owns";
    this.say("owns");
    if (before !== undefined) {
      this.context.log.warn(`${describeOwner(before.announcement)} had this label and is gone: this agent takes over`);
    }
    this.yielding = new AbortController();
    this.currentSession = { ...connected, signal: this.yielding.signal };
    for (const listener of this.listeners) listener(this.currentSession);
    this.report();
  }

  private wait(): void {
    this.end();
    this.state = "waits";
    this.say("waits");
    this.report();
  }

  private end(): void {
    this.currentSession = undefined;
    this.yielding.abort();
  }

  private report(): void {
    const { conditions, log, agent } = this.context;
    const other = this.state === "owns" ? this.others.any : this.owner;
    if (this.state === "owns" && other === undefined) {
      conditions.fine("ownership");
      return;
    }
    const reason = sharedLabel(agent.label, other?.announcement, this.state === "owns");
    if (conditions.impaired("ownership", reason)) log.warn(reason);
  }

  private announcement(intent: Intent): Announcement {
    return {
      intent,
      instance: this.instance,
      host: hostname(),
      pid: process.pid,
      since: this.since,
      term: this.term,
    };
  }

  private encode(intent: Intent): Uint8Array {
    return Buffer.from(JSON.stringify(this.announcement(intent)));
  }

  private say(intent: Intent): void {
    const connection = this.connectedSession?.connection;
    if (connection === undefined || connection.isClosed()) return;
    this.spoken = performance.now();
    connection.publish(this.subject, this.encode(intent));
  }
}

function isRefused(error: unknown): boolean {
  return error instanceof NatsError && error.code === ErrorCode.PermissionsViolation;
}
