import { setImmediate as nextTurn } from "node:timers/promises";
import type { AgentInfo } from "#core/agent/types.js";
import { errorMessage } from "#core/errors.js";
import type { Logger } from "#core/logging/types.js";
import { pause } from "#core/northbound/backoff.js";
import { EventQueue } from "#core/northbound/event-queue.js";
import type { EventEnvelope, EventPublisher, StateSink } from "#core/northbound/index.js";
import { Wake } from "#core/northbound/wake.js";
import type { NatsConfig } from "./config.js";
import { flushSession, type NatsConditions, type NatsSession } from "./connection.js";
import { eventMessage, subjectOf } from "./event-message.js";
import type { LabelOwnership } from "./label-ownership.js";
import { LastStates } from "./last-states.js";

interface SinkContext {
  readonly config: NatsConfig;
  readonly agent: AgentInfo;
  readonly publisher: EventPublisher;
  readonly bus: LabelOwnership;
  readonly conditions: NatsConditions;
  readonly log: Logger;
}

/** The broker has to confirm that it has read so many bytes, */
const WINDOW = 256 * 1024;
/** or, before anything else is sent, what was sent so long ago, ms. Asking about every event would cost more than the event. */
const UNCONFIRMED = 50;
/** So many bytes leave in a turn of the event loop: requests and answers, which others wait for, do not wait for all the rest. */
const TURN = 32 * 1024;

/**
 * Publishes events on their subjects, and keeps the last state of every interface in the bucket `tenuto-state`. While the
 * bus is away events wait in bounded memory; when it is back, every interface's current state is published first.
 */
export class NatsStateSink implements StateSink {
  readonly name = "nats";
  private readonly context: SinkContext;
  private readonly queue: EventQueue;
  private readonly wake = new Wake();
  private readonly lastStates: LastStates;
  private droppedBefore = 0;

  constructor(context: SinkContext) {
    this.context = context;
    this.queue = new EventQueue(context.config.max_pending_events);
    this.lastStates = new LastStates(context);
    context.bus.onSession((session) => this.serve(session));
  }

  publish(envelope: EventEnvelope): void {
    if (this.context.bus.standsBy) this.publishStandingBy(envelope);
    else this.publishState(envelope);
  }

  /** The label is another agent's: states of this host are not its, and are told anew if it takes over. */
  private publishStandingBy(envelope: EventEnvelope): void {
    const { connected } = this.context.bus;
    if (connected !== undefined && envelope.event.kind === "health") this.sendOne(connected, envelope);
  }

  private publishState(envelope: EventEnvelope): void {
    this.queue.push(envelope);
    this.wake.up();
    if (envelope.event.kind === "interface") this.lastStates.put(envelope.event.name, envelope);
  }

  /** Hands what waits to the connection, and gives the bucket `drain_timeout` to take the last states. */
  async close(): Promise<void> {
    const { bus, config } = this.context;
    if (bus.session === undefined) return;
    this.send(bus.session, Number.POSITIVE_INFINITY);
    const enough = new AbortController();
    await Promise.race([this.lastStates.written(), pause(config.drain_timeout, enough.signal)]);
    enough.abort();
  }

  private serve(session: NatsSession): void {
    this.tellDropped("while NATS was away");
    this.queue.renewInterfaces(this.context.publisher.currentInterfaces());
    void this.pump(session);
    void this.lastStates.serve(session);
  }

  private async pump(session: NatsSession): Promise<void> {
    const { signal } = session;
    let sent = 0;
    let since = 0;
    while (!signal.aborted) {
      await this.wake.wait(signal, () => this.queue.size > 0);
      if (signal.aborted) return;
      const now = performance.now();
      if (sent === 0) since = now;
      sent += this.send(session, TURN);
      if (sent >= WINDOW || now - since >= UNCONFIRMED) {
        await flushSession(session);
        sent = 0;
      } else if (this.queue.size > 0) await nextTurn();
      if (this.queue.size === 0) this.tellDropped("since they came faster than NATS takes them");
    }
  }

  private tellDropped(when: string): void {
    const dropped = this.queue.dropped - this.droppedBefore;
    this.droppedBefore = this.queue.dropped;
    if (dropped === 0) return;
    this.context.log.warn({ dropped }, `events were dropped ${when}: more than nats.max_pending_events`);
  }

  /** Publishes waiting events up to about `window` bytes; returns how many bytes that were. */
  private send(session: NatsSession, window: number): number {
    let sent = 0;
    for (;;) {
      const envelope = sent < window && !session.connection.isClosed() ? this.queue.take() : undefined;
      if (envelope === undefined) return sent;
      sent += this.sendOne(session, envelope);
    }
  }

  private sendOne({ connection }: NatsSession, envelope: EventEnvelope): number {
    const { agent, bus, log } = this.context;
    const { data, headers } = eventMessage(envelope, bus.maxMessage);
    try {
      connection.publish(subjectOf(agent.label, envelope.event), data, { headers });
      return data.length;
    } catch (error) {
      log.warn({ err: error, event: envelope.type }, `an event was not published: ${errorMessage(error)}`);
      return 0;
    }
  }
}
