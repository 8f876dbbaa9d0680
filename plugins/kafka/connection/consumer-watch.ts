import type { Consumer } from "kafkajs";
import { BusError } from "#core/errors.js";
import { onFetchAnswer, outOfRange } from "./fetch-decoder.js";

export interface WatchLimits {
  /** A consumer of the group shows no sign of life for longer: it is stalled, ms. */
  readonly stall: number;
  /** Joining the group takes longer: it will not come about, ms. */
  readonly join: number;
}

export interface WatchListener {
  /** The consumer has joined the group, for the first time or anew. */
  joined(partitions: readonly number[]): void;
}

/** How often the signs of life are looked at, ms. */
const INTERVAL = 500;
/** Kafka's number of the error that its broker does not have the offset that was asked for. */
const OFFSET_OUT_OF_RANGE = 1;

/**
 * Tells when a kafkajs consumer has come to its end: it crashed, was stopped or disconnected by itself, does not get into its
 * group, gets no answers about its topic any more, or asks for what is not there any more. kafkajs restarts a consumer after some
 * failures, gives up after others, and in a few says nothing at all; so whoever needs the topic replaces the consumer in
 * every case.
 *
 * A sign of life is an answer without an error about the topic itself, in a consumer that has partitions of it. kafkajs's own
 * events are none: it sends heartbeats, and fetches from brokers that have nothing of the topic, while the one fetch that
 * matters hangs, and it calls a fetch done that was refused.
 */
export class ConsumerWatch {
  private readonly consumer: Consumer;
  private readonly limits: WatchLimits;
  private readonly timer: NodeJS.Timeout;
  private readonly unsubscribe: readonly (() => void)[];
  /** When it last showed a sign of life, or began to join; `performance.now()`. */
  private sign = performance.now();
  private joining = true;
  /** Partitions of the topic that it reads; without any, being in the group is all that can be seen of it. */
  private partitions: readonly number[] = [];
  /** Batches being worked on: kafkajs does not fetch meanwhile. */
  private busy = 0;
  private finish: (reason: Error) => void = () => undefined;

  /** Resolves with the reason when the consumer has to be replaced. */
  readonly ended: Promise<Error>;

  constructor(consumer: Consumer, topic: string, limits: WatchLimits, listener: WatchListener) {
    this.consumer = consumer;
    this.limits = limits;
    this.ended = new Promise((resolve) => {
      this.finish = resolve;
    });
    this.unsubscribe = this.subscribe(topic, listener);
    this.timer = setInterval(() => this.look(topic), INTERVAL).unref();
  }

  /** Work on a batch during which the consumer cannot show signs of life by itself. */
  async during<T>(work: () => Promise<T>): Promise<T> {
    this.busy += 1;
    try {
      return await work();
    } finally {
      this.busy -= 1;
      this.alive();
    }
  }

  close(): void {
    clearInterval(this.timer);
    for (const unsubscribe of this.unsubscribe) unsubscribe();
  }

  /** Ends the consumer for a reason that somebody else has seen. */
  end(reason: Error): void {
    this.finish(reason);
  }

  private subscribe(topic: string, listener: WatchListener): readonly (() => void)[] {
    const consumer = this.consumer;
    const { GROUP_JOIN, REBALANCING, HEARTBEAT, CRASH, STOP, DISCONNECT } = consumer.events;
    // A crash stops and disconnects the consumer first and then says why.
    const over = (what: string) => (): void => {
      setTimeout(() => this.finish(new BusError("CONSUMER_ENDED", `the consumer ${what}`)), INTERVAL).unref();
    };
    return [
      consumer.on(GROUP_JOIN, ({ payload }) => {
        // One that joins over and over because it may not read what it was given shows no sign of life by that.
        if (this.joining || this.partitions.length === 0) this.alive();
        this.joining = false;
        this.partitions = payload.memberAssignment[topic] ?? [];
        listener.joined(this.partitions);
      }),
      consumer.on(REBALANCING, () => {
        if (!this.joining) this.alive();
        this.joining = true;
      }),
      consumer.on(HEARTBEAT, () => {
        if (this.partitions.length === 0) this.alive();
      }),
      onFetchAnswer(topic, ({ partition, errorCode }) => {
        if (!this.partitions.includes(partition)) return;
        if (errorCode === 0) this.alive();
        else if (errorCode === OFFSET_OUT_OF_RANGE) this.finish(outOfRange(topic, partition));
      }),
      consumer.on(CRASH, ({ payload }) => this.finish(payload.error)),
      consumer.on(STOP, over("stopped by itself")),
      consumer.on(DISCONNECT, over("disconnected by itself")),
    ];
  }

  private alive(): void {
    this.sign = performance.now();
  }

  private look(topic: string): void {
    if (this.busy > 0) return;
    const silent = performance.now() - this.sign;
    if (this.joining && silent > this.limits.join) {
      this.finish(new BusError("GROUP_NOT_JOINED", `the consumer of ${topic} does not get into its group`));
    } else if (!this.joining && silent > this.limits.stall) {
      this.finish(
        new BusError("CONSUMER_STALLED", `the consumer of ${topic} has stalled: nothing from Kafka any more`),
      );
    }
  }
}
