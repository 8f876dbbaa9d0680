import type { KV } from "nats";
import { bucketFilter, CONFIG_BUCKET, configBucketKey, keyFromConfigBucket } from "#proto/nats.js";
import { AgentClientError } from "./client.js";
import type { NatsRequests } from "./nats-connection.js";
import type { KeyValue } from "./types.js";

/**
 * The desired state of an agent in the bucket `tenuto-config`: what is written here is applied when the agent sees it, now or
 * when it comes back. There is no answer; what became of it is told by `status` and by the events of topic `values`.
 */
export class DesiredState {
  readonly #bus: NatsRequests;
  readonly #label: string;
  #bucket: Promise<KV> | undefined;

  constructor(bus: NatsRequests, label: string) {
    this.#bus = bus;
    this.#label = label;
  }

  async put(key: string, value: object): Promise<void> {
    const bucket = await this.#open();
    await bucket.put(configBucketKey(this.#label, key), JSON.stringify(value));
  }

  async delete(key: string): Promise<void> {
    const bucket = await this.#open();
    await bucket.delete(configBucketKey(this.#label, key));
  }

  /** Everything the bucket holds for the agent. */
  async entries(): Promise<readonly KeyValue[]> {
    const bucket = await this.#open();
    const entries: KeyValue[] = [];
    const keys = await this.#bus.opening(() => bucket.keys(bucketFilter(this.#label)));
    for await (const bucketKey of keys) {
      const key = keyFromConfigBucket(this.#label, bucketKey);
      const entry = await bucket.get(bucketKey);
      if (key !== undefined && entry?.operation === "PUT") entries.push({ key, value: entry.json<object>() });
    }
    return entries;
  }

  /** The agent creates the bucket on its first start; so does a client that comes first. */
  async #open(): Promise<KV> {
    const { views } = this.#bus.connection.jetstream();
    const open = (): Promise<KV> => views.kv(CONFIG_BUCKET, { history: 1 });
    // Again, for when an agent creates it in the same moment.
    this.#bucket ??= open().catch(open);
    try {
      return await this.#bucket;
    } catch (error) {
      this.#bucket = undefined;
      const reason = error instanceof Error ? error.message : String(error);
      throw new AgentClientError("NO_BUCKET", `the bucket ${CONFIG_BUCKET} is not available: ${reason}`, error);
    }
  }
}
