import { EventEmitter } from "node:events";
import type { FetchOptions } from "kafkajs/src/protocol/requests/fetch/index.js";
import { BugError, BusError } from "#core/errors.js";
import { lazily } from "#core/lazily.js";
import { ByteReader } from "../records/byte-reader.js";
import { type AbortedTransaction, decodeRecords } from "../records/decode.js";
import type { LogRecord } from "../records/log-record.js";

/** From this version on answers have record batches (Kafka 0.11); kafkajs speaks up to 11. */
const FIRST_VERSION = 4;
const LAST_VERSION = 11;
const OFFSET_OUT_OF_RANGE = 1;

/** What a broker said of a partition when it was asked for more of it. */
export interface FetchAnswer {
  readonly partition: number;
  /** Kafka's number; 0 is none. */
  readonly errorCode: number;
}

interface PartitionAnswer extends FetchAnswer {
  readonly highWatermark: string;
  readonly lastStableOffset: string;
  /** None: what they wrote is left out already. */
  readonly abortedTransactions: readonly never[];
  readonly preferredReadReplica: number;
  readonly messages: readonly LogRecord[];
}

interface Answer {
  readonly errorCode: number;
  readonly responses: readonly { readonly topicName: string; readonly partitions: readonly PartitionAnswer[] }[];
}

const answers = new EventEmitter().setMaxListeners(0);

/** Hears of every answer about a topic, of any consumer in this process; returns what ends that. */
export function onFetchAnswer(topic: string, listener: (answer: FetchAnswer) => void): () => void {
  answers.on(topic, listener);
  return () => void answers.off(topic, listener);
}

let installed: Promise<void> | undefined;

/**
 * Makes kafkajs read logs with {@link decodeRecords}. Its own decoder has no codecs but gzip, and gives the whole answer up
 * for one record that it cannot read, again and again, so that nothing behind it is ever reached; of an offset that its
 * broker does not have any more it says nothing and goes on elsewhere.
 */
export function installFetchDecoder(): Promise<void> {
  installed ??= install().catch((error: unknown) => {
    installed = undefined;
    throw error;
  });
  return installed;
}

async function install(): Promise<void> {
  const { default: fetch } = await lazily(() => import("kafkajs/src/protocol/requests/fetch/index.js"));
  const original = fetch.protocol;
  if (typeof original !== "function" || fetch.versions.at(-1) !== String(LAST_VERSION)) {
    throw new BugError("KAFKAJS_CHANGED", "this version of kafkajs does not read answers as 2.2.4 does");
  }
  fetch.protocol = ({ version }) => {
    const create = original({ version });
    if (version < FIRST_VERSION) return create;
    return (options) => {
      const made = create(options);
      const decode = (answer: Buffer): Promise<Answer> => decodeAnswer(answer, version, options);
      const parse = (decoded: Answer): Promise<object> => {
        tell(decoded);
        return made.response.parse(decoded);
      };
      return { ...made, response: { decode, parse } };
    };
  };
}

/** Throws for an offset that the partition does not have: what becomes of it is for the reader of the topic to say. */
function tell({ responses }: Answer): void {
  for (const { topicName, partitions } of responses) {
    for (const { partition, errorCode } of partitions) {
      answers.emit(topicName, { partition, errorCode } satisfies FetchAnswer);
      if (errorCode === OFFSET_OUT_OF_RANGE) throw outOfRange(topicName, partition);
    }
  }
}

export function outOfRange(topic: string, partition: number): BusError {
  return new BusError(
    "OFFSET_OUT_OF_RANGE",
    `partition ${partition} of ${topic} does not have the next offset any more`,
  );
}

/** Fetch Response, versions 4 to 11. */
async function decodeAnswer(answer: Buffer, version: number, { topics }: FetchOptions): Promise<Answer> {
  const reader = new ByteReader(answer);
  const throttled = reader.int32();
  const errorCode = version >= 7 ? reader.int16() : 0;
  if (version >= 7) reader.int32();
  const responses: { topicName: string; partitions: PartitionAnswer[] }[] = [];
  for (let left = reader.int32(); left > 0; left -= 1) {
    const topicName = reader.bytes(reader.int16()).toString();
    const asked = topics.find(({ topic }) => topic === topicName)?.partitions ?? [];
    const partitions: PartitionAnswer[] = [];
    for (let more = reader.int32(); more > 0; more -= 1) partitions.push(await decodePartition(reader, version, asked));
    responses.push({ topicName, partitions });
  }
  // Of newer versions the client waits, not the broker.
  const throttle = version >= 8 ? { throttleTime: 0, clientSideThrottleTime: throttled } : { throttleTime: throttled };
  return { ...throttle, errorCode, responses };
}

async function decodePartition(
  reader: ByteReader,
  version: number,
  asked: FetchOptions["topics"][number]["partitions"],
): Promise<PartitionAnswer> {
  const partition = reader.int32();
  const errorCode = reader.int16();
  const end = reader.int64();
  const stable = reader.int64();
  if (version >= 5) reader.int64();
  const aborted: AbortedTransaction[] = [];
  for (let left = reader.int32(); left > 0; left -= 1) {
    aborted.push({ producerId: reader.int64(), firstOffset: reader.int64() });
  }
  const preferredReadReplica = version >= 11 ? reader.int32() : -1;
  const log = reader.nullable(reader.int32()) ?? Buffer.alloc(0);
  const from = BigInt(asked.find((one) => one.partition === partition)?.fetchOffset ?? 0);
  const messages = errorCode === 0 ? await decodeRecords(log, { from, end, aborted }) : [];
  return {
    partition,
    errorCode,
    highWatermark: String(end),
    lastStableOffset: String(stable),
    abortedTransactions: [],
    preferredReadReplica,
    messages,
  };
}
