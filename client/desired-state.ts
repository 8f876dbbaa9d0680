import type { KV, KvEntry } from "nats";
import {
  bucketFilter,
  COMPLETE_MARKER,
  CONFIG_BUCKET,
  configBucketKey,
  keyFromConfigBucket,
  RESERVED_PREFIX,
} from "#proto/nats.js";
import { AgentClientError } from "./client.js";
import type { NatsRequests } from "./nats-connection.js";
import type { KeyValue } from "./types.js";

/** So many values are asked for at once. */
const AT_ONCE = 64;

/**
 * The desired state of an agent in the bucket `tenuto-config`: what is written here is applied when the agent sees it, now or
 * when it comes back. There is no answer; what became of it is told by `status` and by the events of topic `values`.
 */
export class DesiredState {
  private readonly bus: NatsRequests;
  private readonly label: string;
  private bucket: Promise<KV> | undefined;

  constructor(bus: NatsRequests, label: string) {
    this.bus = bus;
    this.label = label;
  }

  async put(key: string, value: object): Promise<void> {
    const bucket = await this.open();
    await bucket.put(configBucketKey(this.label, key), JSON.stringify(value));
  }

  async delete(key: string): Promise<void> {
    const bucket = await this.open();
    await bucket.delete(configBucketKey(this.label, key));
  }

  /**
   * Says that the bucket has everything that the agent is to have: what it lacks is given up, also what the agent kept because the
   * bucket had lost it. To be called after everything was written.
   */
  async markComplete(): Promise<void> {
    const bucket = await this.open();
    const values = (await this.values(bucket)).length;
    await bucket.put(configBucketKey(this.label, COMPLETE_MARKER), JSON.stringify({ values }));
  }

  /** Everything the bucket holds for the agent. */
  async entries(): Promise<readonly KeyValue[]> {
    const bucket = await this.open();
    const entries = await this.values(bucket);
    return entries.map(({ key, entry }) => ({ key, value: entry.json<object>() }));
  }

  /** By its subjects, each got alone: an account may be restricted to those of one label. */
  private async values(bucket: KV): Promise<readonly { readonly key: string; readonly entry: KvEntry }[]> {
    const prefix = `$KV.${CONFIG_BUCKET}.`;
    const { streams } = await this.bus.connection.jetstreamManager();
    const { state } = await streams.info(`KV_${CONFIG_BUCKET}`, {
      subjects_filter: prefix + bucketFilter(this.label),
    });
    const bucketKeys = Object.keys(state.subjects ?? {}).map((subject) => subject.slice(prefix.length));
    const found: { key: string; entry: KvEntry }[] = [];
    const read = async (bucketKey: string): Promise<void> => {
      const key = keyFromConfigBucket(this.label, bucketKey);
      if (key === undefined || key.startsWith(RESERVED_PREFIX)) return;
      const entry = await bucket.get(bucketKey);
      if (entry?.operation === "PUT") found.push({ key, entry });
    };
    for (let begin = 0; begin < bucketKeys.length; begin += AT_ONCE) {
      await Promise.all(bucketKeys.slice(begin, begin + AT_ONCE).map(read));
    }
    return found.sort((a, b) => (a.key < b.key ? -1 : 1));
  }

  /** The agent creates the bucket on its first start; so does a client that comes first. */
  private async open(): Promise<KV> {
    const { views } = this.bus.connection.jetstream();
    const open = (): Promise<KV> => views.kv(CONFIG_BUCKET, { history: 1 });
    // Again, for when an agent creates it in the same moment.
    this.bucket ??= open().catch(open);
    try {
      return await this.bucket;
    } catch (error) {
      this.bucket = undefined;
      const reason = error instanceof Error ? error.message : String(error);
      throw new AgentClientError("NO_BUCKET", `the bucket ${CONFIG_BUCKET} is not available: ${reason}`, error);
    }
  }
}
