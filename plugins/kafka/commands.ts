import type { KafkaMessage } from "kafkajs";
import { errorMessage, InvalidInputError, TenutoError } from "#core/errors.js";
import type { Logger } from "#core/logging/types.js";
import { CONTENT_TYPE, type Encoding, type ModelRegistry } from "#core/model/types.js";
import { fitResult } from "#core/northbound/fit.js";
import { emptyResult, idOf, requestEncoding, type TransactionLimits } from "#core/northbound/incoming.js";
import type { Northbound, Transaction, TransactionResult } from "#core/northbound/index.js";
import type { TransactionParts } from "#core/northbound/parts.js";
import { SerialQueue } from "#core/northbound/serial-queue.js";
import { HEADERS } from "#proto/kafka.js";
import type { KafkaConfig } from "./config.js";
import { type OutgoingRecord, RECORD_ROOM } from "./connection/producer.js";
import { deadLetter } from "./dead-letters.js";
import { headerOf, type MessageOrigin } from "./message.js";
import { unreadableReason } from "./records/log-record.js";
import type { ReplyTopics } from "./reply-topics.js";

const TRANSACTION = "tenuto.v1.Transaction";
const RESULT = "tenuto.v1.TransactionResult";
/** Characters of a transaction's id, which is in its answer's key and headers. */
const MAX_ID = 256;

export interface CommandsContext {
  readonly config: KafkaConfig;
  readonly label: string;
  readonly registry: ModelRegistry;
  readonly northbound: Northbound;
  readonly parts: TransactionParts;
  readonly limits: TransactionLimits;
  readonly replyTopics: ReplyTopics;
  readonly log: Logger;
}

/** What became of a command. */
export type CommandAnswer =
  /** One of several parts, with more to come. */
  | { readonly kind: "part"; readonly id: string }
  | {
      readonly kind: "result";
      readonly id: string;
      /** At most `limit` bytes each. */
      records(limit: number): readonly OutgoingRecord[];
    }
  | {
      readonly kind: "dead";
      readonly id: string;
      readonly error: string;
      records(limit: number): readonly OutgoingRecord[];
    };

/** Turns commands into answers: decodes them, asks the agent, and encodes what it says in the encoding of the command. */
export class Commands {
  private readonly context: CommandsContext;
  /** A large transaction takes its time to be decoded; those behind it must not overtake it. */
  private readonly intake = new SerialQueue();

  constructor(context: CommandsContext) {
    this.context = context;
  }

  /** Never throws: what cannot be decoded or applied is a dead letter. */
  async apply(message: KafkaMessage, origin: MessageOrigin): Promise<CommandAnswer> {
    let id = "";
    try {
      const unreadable = unreadableReason(message);
      if (unreadable !== undefined) return this.unreadable(message, origin, unreadable);
      const taken = await this.intake.run(async () => {
        const transaction = await this.decode(message);
        id = transaction.id ?? "";
        this.checkReplyTopic(headerOf(message, HEADERS.replyTopic));
        // Not awaited in here: the next one can be decoded while this one is being applied.
        return { result: this.commit(message, transaction, origin) };
      });
      const result = await taken.result;
      if (result === undefined) return { kind: "part", id };
      return { kind: "result", id: result.id, records: (limit) => [this.reply(message, result, limit)] };
    } catch (error) {
      return this.dead(message, origin, id, error);
    }
  }

  private async decode(message: KafkaMessage): Promise<Transaction> {
    if (message.value === null) throw new InvalidInputError("NO_VALUE", "the message has no value, not a transaction");
    const contentType = headerOf(message, HEADERS.contentType);
    const { registry, limits } = this.context;
    const how = { contentType, maxEntries: limits.maxChanges };
    const transaction = await registry.decodeInSlices<Transaction>(TRANSACTION, message.value, how);
    if ((transaction.id?.length ?? 0) <= MAX_ID) return transaction;
    throw new InvalidInputError("ID_TOO_LONG", `the id of the transaction is longer than ${MAX_ID} characters`);
  }

  /** One that asks for its answer where that may not go is not carried out: whoever sent it would wait in vain. */
  private checkReplyTopic(topic: string): void {
    if (topic === "" || this.context.replyTopics.isAllowed(topic)) return;
    throw new InvalidInputError(
      "REPLY_TOPIC_NOT_ALLOWED",
      `the answer may not go to topic ${topic.slice(0, MAX_ID)}: the agent's kafka.reply_topics does not name it`,
      { field: HEADERS.replyTopic },
    );
  }

  /** Whose command it was cannot be told. */
  private unreadable(message: KafkaMessage, origin: MessageOrigin, error: string): CommandAnswer {
    const { config, label } = this.context;
    return {
      kind: "dead",
      id: "",
      error,
      records: (limit) => [deadLetter(config, label, { origin, message, error, limit })],
    };
  }

  /** The result, or `undefined` when more parts are to come. */
  private async commit(
    message: KafkaMessage,
    transaction: Transaction,
    origin: MessageOrigin,
  ): Promise<TransactionResult | undefined> {
    const { northbound, parts } = this.context;
    const position = headerOf(message, HEADERS.part);
    if (position === "") {
      const { id = "" } = transaction;
      return await northbound.commit({ ...transaction, id: id === "" ? ownId(message, origin) : id }, "kafka");
    }
    const part = { position, transaction, bytes: message.value?.length ?? 0 };
    const whole = parts.add(part);
    return whole === undefined ? await parts.answeredBefore(part, northbound) : await northbound.commit(whole, "kafka");
  }

  /** Whoever waits for an answer, and can be told apart, gets one as well. */
  private dead(message: KafkaMessage, origin: MessageOrigin, decodedId: string, thrown: unknown): CommandAnswer {
    const { config, label, log } = this.context;
    const invalid = thrown instanceof TenutoError && thrown.kind === "invalid-input";
    if (!invalid) log.error({ err: thrown, ...origin }, "a command could not be worked on");
    const error = invalid ? thrown.message : `the agent failed: ${errorMessage(thrown)}`;
    const id = (decodedId !== "" || message.value === null ? decodedId : idOf(message.value)).slice(0, MAX_ID);
    const awaited = [id, headerOf(message, HEADERS.correlationId), headerOf(message, HEADERS.replyTopic)];
    const answered = awaited.some((text) => text !== "");
    const records = (limit: number): readonly OutgoingRecord[] => [
      deadLetter(config, label, { origin, message, error, limit }),
      ...(answered ? [this.reply(message, emptyResult(id, "REJECTED", error), limit)] : []),
    ];
    return { kind: "dead", id, error, records };
  }

  private reply(message: KafkaMessage, result: TransactionResult, limit: number): OutgoingRecord {
    const { label, registry, replyTopics } = this.context;
    const encoding = encodingOf(message);
    const encode = (fitting: TransactionResult): Uint8Array =>
      encoding === "json" ? Buffer.from(JSON.stringify(fitting)) : registry.encodeMessage(RESULT, fitting, encoding);
    return {
      topic: replyTopics.choose(headerOf(message, HEADERS.replyTopic)),
      isReply: true,
      key: result.id,
      value: fitResult(result, Math.max(0, limit - RECORD_ROOM), encode),
      headers: {
        [HEADERS.contentType]: CONTENT_TYPE[encoding],
        [HEADERS.correlationId]: headerOf(message, HEADERS.correlationId).slice(0, MAX_ID) || result.id,
        [HEADERS.label]: label,
      },
    };
  }
}

/** An answer has the encoding of its command. */
function encodingOf(message: KafkaMessage): Encoding {
  return requestEncoding(message.value ?? new Uint8Array(), headerOf(message, HEADERS.contentType));
}

/**
 * The id of a transaction that came without one: the same when the message is read again, so that it is not applied twice.
 * With the time, because a topic that was made anew counts its offsets from 0 again.
 */
function ownId({ timestamp }: KafkaMessage, { topic, partition, offset }: MessageOrigin): string {
  return `${topic}/${partition}/${offset}/${timestamp}`;
}
