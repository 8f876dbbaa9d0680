import {
  type JetStreamClient,
  type JetStreamManager,
  type KV,
  type KvOptions,
  type MsgHdrs,
  NatsError,
  type StreamInfo,
} from "nats";
import type { NatsConfig } from "./config.js";
import type { NatsSession } from "./connection.js";

/** How long one request to JetStream may take, ms. */
const JETSTREAM_TIMEOUT = 5_000;

/** A key-value bucket of the session, and the stream it is made of. */
export interface Bucket {
  readonly name: string;
  readonly kv: KV;
  readonly jetstream: JetStreamClient;
  readonly streams: JetStreamManager["streams"];
  readonly consumers: JetStreamManager["consumers"];
  readonly stream: string;
  /** What the subjects of its entries begin with: a mirror has those of its origin. */
  readonly prefix: string;
  /** What the subjects begin with on which entries are written. */
  readonly writePrefix: string;
  /** The stream as it was when the bucket was opened. */
  readonly info: StreamInfo;
}

/** JetStream's error code for a stream that somebody else made in the same moment, with other settings. */
const STREAM_NAME_IN_USE = 10058;

async function openOrCreate(jetstream: JetStreamClient, name: string, options: Partial<KvOptions>): Promise<KV> {
  try {
    return await jetstream.views.kv(name, options);
  } catch (error) {
    if (!(error instanceof NatsError) || error.api_error?.err_code !== STREAM_NAME_IN_USE) throw error;
    return await jetstream.views.kv(name, options);
  }
}

/** Opens a bucket, and creates it when the broker does not have it. */
export async function openBucket(
  session: NatsSession,
  name: string,
  description: string,
  config: NatsConfig,
): Promise<Bucket> {
  const jetstream = session.connection.jetstream({ timeout: JETSTREAM_TIMEOUT });
  const kv = await openOrCreate(jetstream, name, { history: 1, replicas: config.bucket_replicas, description });
  const { streamInfo } = await kv.status();
  const { streams, consumers } = await jetstream.jetstreamManager();
  const { mirror } = streamInfo.config;
  const origin = mirror === undefined ? name : mirror.name.replace(/^KV_/, "");
  const stream = streamInfo.config.name;
  const prefix = `$KV.${origin}.`;
  const domain = mirror?.external?.api ?? "";
  const writePrefix = domain === "" ? prefix : `${domain}.${prefix}`;
  return { name, kv, jetstream, streams, consumers, stream, prefix, writePrefix, info: streamInfo };
}

/** The keys of the bucket that match a filter, delete markers included. */
export async function bucketKeys(bucket: Bucket, filter: string): Promise<readonly string[]> {
  const { prefix } = bucket;
  const { state } = await bucket.streams.info(bucket.stream, { subjects_filter: `${prefix}${filter}` });
  return Object.keys(state.subjects ?? {}).map((subject) => subject.slice(prefix.length));
}

/** Writes an entry with headers, which the library's `kv.put` cannot. Resolves when the broker has stored it. */
export async function putWithHeaders(bucket: Bucket, key: string, data: Uint8Array, headers: MsgHdrs): Promise<void> {
  await bucket.jetstream.publish(`$KV.${bucket.name}.${key}`, data, { headers });
}
