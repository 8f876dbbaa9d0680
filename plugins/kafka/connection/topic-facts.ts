import type { Admin } from "kafkajs";
import type { ByteReader } from "../records/byte-reader.js";
import type { Wires } from "./wires.js";

const METADATA = 3;
/** The first with identities of topics (Kafka 2.8). */
const METADATA_VERSION = 10;
const OFFSET_FOR_LEADER_EPOCH = 23;
const OFFSET_VERSION = 3;
const UNKNOWN_TOPIC = 3;
const ID_BYTES = 16;

/** What a broker says of a topic that two topics of one name do not have in common. */
export interface TopicIdentity {
  /** In hex; `undefined` from brokers that give none. */
  readonly id: string | undefined;
  /** By partition: the number of its present leadership, and where the leader is. */
  readonly leaders: ReadonlyMap<number, { readonly epoch: number; readonly address: string }>;
}

/** What is known of a topic before it is read. */
export interface TopicFacts extends TopicIdentity {
  readonly partitions: readonly PartitionOffsets[];
  /** Where the records of an earlier leadership end in what the present leader has; `undefined` when that cannot be told. */
  endOfEpoch(partition: number, epoch: number): Promise<bigint | undefined>;
}

/** Where a partition begins and ends, as the broker says it: `high` is the offset of the next message. */
export interface PartitionOffsets {
  readonly partition: number;
  readonly low: string;
  readonly high: string;
}

export async function factsOf(admin: Admin, wires: Wires, topic: string): Promise<TopicFacts> {
  // This connects to the leaders, too.
  const partitions = await admin.fetchTopicOffsets(topic);
  const identity = await identityOf(wires, topic);
  const { id, leaders } = identity === "missing" ? NOTHING_KNOWN : identity;
  return {
    id,
    leaders,
    partitions,
    endOfEpoch: (partition, epoch) => endOfEpoch(wires, topic, partition, epoch, leaders.get(partition)?.address),
  };
}

const NOTHING_KNOWN: TopicIdentity = { id: undefined, leaders: new Map() };

/** Metadata, version 10. `missing`: there is no such topic now. */
export async function identityOf(wires: Wires, topic: string): Promise<TopicIdentity | "missing"> {
  const name = Buffer.from(topic);
  const body = Buffer.concat([
    Buffer.from([0, 2]),
    Buffer.alloc(ID_BYTES),
    uvarint(name.length + 1),
    name,
    // No more fields; and neither creation of topics nor lists of operations that are allowed.
    Buffer.from([0, 0, 0, 0, 0]),
  ]);
  const answer = await wires.ask(METADATA, METADATA_VERSION, body);
  return answer === undefined ? NOTHING_KNOWN : readIdentity(answer);
}

function readIdentity(answer: ByteReader): TopicIdentity | "missing" {
  skipFields(answer);
  answer.int32();
  const brokers = new Map<number, string>();
  for (let left = count(answer); left > 0; left -= 1) {
    const node = answer.int32();
    const host = text(answer);
    brokers.set(node, `${host}:${answer.int32()}`);
    text(answer);
    skipFields(answer);
  }
  text(answer);
  answer.int32();
  if (count(answer) === 0) return NOTHING_KNOWN;
  const error = answer.int16();
  if (error === UNKNOWN_TOPIC) return "missing";
  text(answer);
  const bytes = answer.bytes(ID_BYTES);
  const id = error === 0 && bytes.some((byte) => byte !== 0) ? bytes.toString("hex") : undefined;
  answer.int8();
  const leaders = new Map<number, { epoch: number; address: string }>();
  for (let left = count(answer); left > 0; left -= 1) {
    answer.int16();
    const partition = answer.int32();
    const address = brokers.get(answer.int32()) ?? "";
    leaders.set(partition, { epoch: answer.int32(), address });
    for (let list = 0; list < 3; list += 1) answer.bytes(4 * count(answer));
    skipFields(answer);
  }
  return { id, leaders };
}

/** OffsetForLeaderEpoch, version 3: KIP-320. */
async function endOfEpoch(
  wires: Wires,
  topic: string,
  partition: number,
  epoch: number,
  leader: string | undefined,
): Promise<bigint | undefined> {
  if (leader === undefined || epoch < 0) return undefined;
  const name = Buffer.from(topic);
  const body = Buffer.alloc(4 + 4 + 2 + name.length + 4 + 12);
  let at = body.writeInt32BE(-1, 0);
  at = body.writeInt32BE(1, at);
  at = body.writeInt16BE(name.length, at);
  at += name.copy(body, at);
  at = body.writeInt32BE(1, at);
  at = body.writeInt32BE(partition, at);
  // That the leader is the one we know does not matter.
  at = body.writeInt32BE(-1, at);
  body.writeInt32BE(epoch, at);
  const answer = await wires.ask(OFFSET_FOR_LEADER_EPOCH, OFFSET_VERSION, body, leader);
  if (answer === undefined) return undefined;
  answer.bytes(8);
  answer.bytes(answer.int16());
  answer.int32();
  const error = answer.int16();
  answer.bytes(8);
  const end = answer.int64();
  return error === 0 && end >= 0n ? end : undefined;
}

function uvarint(value: number): Buffer {
  return value < 0x80 ? Buffer.from([value]) : Buffer.from([(value & 0x7f) | 0x80, value >> 7]);
}

/** Of a compact list, or one more than the bytes of a compact text; 0 also for none. */
function length(reader: ByteReader): number {
  let value = 0;
  for (let shift = 0; shift < 35; shift += 7) {
    const byte = reader.int8();
    value += (byte & 0x7f) * 2 ** shift;
    if (byte >= 0) break;
  }
  return value;
}

function count(reader: ByteReader): number {
  return Math.max(0, length(reader) - 1);
}

function text(reader: ByteReader): string {
  return reader.bytes(count(reader)).toString();
}

function skipFields(reader: ByteReader): void {
  for (let left = length(reader); left > 0; left -= 1) {
    length(reader);
    reader.bytes(length(reader));
  }
}
