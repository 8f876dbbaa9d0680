import type { Admin, KafkaMessage } from "kafkajs";
import type { AgentInfo } from "#core/agent/types.js";
import type { ModelRegistry } from "#core/model/types.js";
import type { TransactionLimits } from "#core/northbound/incoming.js";
import type { EventPublisher, Northbound, TransactionEndpoint } from "#core/northbound/index.js";
import { type DroppedTransaction, TransactionParts } from "#core/northbound/parts.js";
import { topicFor } from "#proto/kafka.js";
import { type CommandAnswer, Commands } from "./commands.js";
import type { BusContext } from "./connection/context.js";
import type { BusProducer } from "./connection/producer.js";
import { ConsumerSupervisor, type TopicBatch } from "./connection/supervisor.js";
import type { TopicFacts } from "./connection/topic-facts.js";
import type { Origins } from "./dead-letters.js";
import { HeldOffsets } from "./held-offsets.js";
import { type MessageOrigin, originOf } from "./message.js";
import { type CommandOutcome, Outbox } from "./outbox.js";
import { unreadableReason } from "./records/log-record.js";
import { ReplyTopics } from "./reply-topics.js";

export interface EndpointContext extends BusContext {
  readonly agent: AgentInfo;
  readonly registry: ModelRegistry;
  readonly publisher: EventPublisher;
  readonly producer: BusProducer;
  readonly origins: Origins;
  readonly limits: TransactionLimits;
  /** There is a new consumer, in place of one that was lost. */
  readonly returned: () => void;
}

/** How long health tells of what was lost of commands, ms. */
const TOLD_FOR = 15 * 60_000;

/**
 * Transactions from the command topic. They take effect in the order of the topic, which is the order in which the agent is
 * asked, but the next ones are begun before the results of earlier ones are stored and sent: that is what takes the time,
 * and several are stored and sent together for the price of one. The group's offset moves on once a result is on the bus: what was under way when the agent
 * or the broker died is read again, and by its transaction id answered again without being applied again.
 *
 * No more is read from the topic than what is being worked on, so a flood of commands waits at the broker.
 */
export class KafkaEndpoint implements TransactionEndpoint {
  readonly name = "kafka";
  private readonly context: EndpointContext;
  private readonly topic: string;
  private readonly parts: TransactionParts;
  private readonly held = new HeldOffsets();
  private readonly replyTopics: ReplyTopics;
  private supervisor: ConsumerSupervisor | undefined;
  /** Identity of the topic that is read. */
  private topicId = "";
  private telling: NodeJS.Timeout | undefined;

  constructor(context: EndpointContext) {
    const { config, agent } = context;
    this.context = context;
    this.topic = topicFor(config.topics.commands, agent.label);
    this.replyTopics = new ReplyTopics(topicFor(config.topics.results, agent.label), config);
    const limits = { ...context.limits, timeLimit: config.part_timeout };
    this.parts = new TransactionParts(limits, (dropped) => this.dropped(dropped));
  }

  /** Returns at once. */
  serve(northbound: Northbound): void {
    const { config, agent, registry, log } = this.context;
    if (config.brokers === "") return;
    const context = { config, label: agent.label, registry, northbound, limits: this.context.limits, log };
    const commands = new Commands({ ...context, parts: this.parts, replyTopics: this.replyTopics });
    let joins = 0;
    this.supervisor = new ConsumerSupervisor(this.context, {
      part: "commands",
      topic: { topic: this.topic, policy: "delete", shared: false },
      mindsLeaders: false,
      group: () => this.topic,
      prepare: (admin, facts) => this.prepare(admin, facts),
      metadata: () => this.topicId,
      joined: () => {
        joins += 1;
        if (joins > 1) this.context.returned();
      },
      take: (batch) => this.take(batch, commands),
    });
    this.supervisor.start();
  }

  /** Finishes the command under way, up to `drain_timeout`. */
  async close(): Promise<void> {
    await this.supervisor?.close();
    this.parts.close();
    clearTimeout(this.telling);
  }

  /**
   * Where the commands have to be read from if that is not where the group is: those that were deleted before they were read are told
   * of, and a topic that was made anew, or went back, is read from its beginning.
   */
  private async prepare(admin: Admin, facts: TopicFacts): Promise<ReadonlyMap<number, string>> {
    this.topicId = facts.id ?? "";
    const [known] = await admin.fetchOffsets({ groupId: this.topic, topics: [this.topic] });
    const begin = new Map<number, string>();
    for (const { partition, offset, metadata } of known?.partitions ?? []) {
      const { low, high } = facts.partitions.find((one) => one.partition === partition) ?? { low: "0", high: "0" };
      const reason = BigInt(offset) < 0n ? undefined : this.missed(BigInt(offset), low, high, metadata ?? "");
      if (reason === undefined) continue;
      this.lost(reason);
      begin.set(partition, low);
    }
    return begin;
  }

  private missed(next: bigint, low: string, high: string, topicId: string): string | undefined {
    if (topicId !== "" && this.topicId !== "" && topicId !== this.topicId) {
      return "the topic was deleted and made anew; it is read from its beginning";
    }
    if (next < BigInt(low))
      return `the commands from offset ${next} to ${BigInt(low) - 1n} were deleted before they were read`;
    if (next <= BigInt(high)) return undefined;
    return `the topic went back from offset ${next} to ${high}; it is read from its beginning`;
  }

  private async take(batch: TopicBatch, commands: Commands): Promise<void> {
    const { config, producer } = this.context;
    const outbox = new Outbox({
      producer,
      replyTopics: this.replyTopics,
      maxMessageBytes: config.max_message_bytes,
      maxPending: config.max_pending_commands,
      maxPendingBytes: config.max_pending_bytes,
      signal: batch.signal,
      lost: ({ offset }, error) => this.lost(`no topic takes the answer to the command at offset ${offset}`, error),
      done: (offset) => this.done(batch, offset),
    });
    for (const message of batch.messages) {
      await outbox.room();
      if (batch.stopping()) break;
      outbox.add(this.answer(commands, message, batch));
    }
    await outbox.sent();
    // What only the protocol sees may be the last of it, or all.
    const isEnd = batch.messages.at(-1)?.offset === batch.lastOffset;
    if (!isEnd && !batch.stopping()) await this.done(batch, batch.lastOffset);
  }

  private async done(batch: TopicBatch, offset: string): Promise<void> {
    batch.resolve(offset);
    await batch.commit(this.held.limit(batch, offset));
  }

  /** What is lost of commands is told for a while: a command is of the moment, and nothing of it is left to repair. */
  private lost(what: string, error?: Error): void {
    const { conditions, log } = this.context;
    const reason = `${this.topic}: ${what}`;
    log.error({ err: error, topic: this.topic }, reason);
    conditions.impaired("lost commands", reason);
    clearTimeout(this.telling);
    this.telling = setTimeout(() => conditions.fine("lost commands"), TOLD_FOR).unref();
  }

  private async answer(
    commands: Commands,
    message: KafkaMessage,
    { topic, partition }: TopicBatch,
  ): Promise<CommandOutcome> {
    const origin = originOf(topic, partition, message);
    const reason = unreadableReason(message);
    if (reason !== undefined) this.lost(`${reason}; see ${this.context.config.topics.dead_letter}`);
    return this.outcome(await commands.apply(message, origin), origin, message.offset);
  }

  private outcome(answer: CommandAnswer, origin: MessageOrigin, offset: string): CommandOutcome {
    if (answer.kind === "part") {
      this.held.hold(answer.id, origin);
      return { offset, records: () => [], sent: () => undefined };
    }
    if (answer.kind === "dead") this.tell(origin, answer);
    return { offset, records: (limit) => answer.records(limit), sent: () => this.held.release(answer.id) };
  }

  /** The dead letter itself goes out with the answers, so that it is on the bus before the command counts as done. */
  private tell(origin: MessageOrigin, { id, error }: { readonly id: string; readonly error: string }): void {
    this.context.log.warn({ ...origin, error }, "a command can never be applied");
    this.context.origins.withoutRecord(origin, (text) => {
      const data = { key: id, origin: text, error, payload: "" };
      this.context.publisher.publish({ kind: "deadletter", origin: text, data });
    });
  }

  private dropped({ id, reason }: DroppedTransaction): void {
    const error = `transaction ${id} was dropped: ${reason}`;
    this.context.log.warn(error);
    this.held.release(id);
    const data = { key: id, origin: this.topic, error, payload: "" };
    this.context.publisher.publish({ kind: "deadletter", origin: "kafka", data });
  }
}
