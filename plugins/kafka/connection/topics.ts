import type { Admin, ConfigResourceTypes } from "kafkajs";
import { BusError } from "#core/errors.js";
import { pause } from "#core/northbound/backoff.js";
import type { BusContext } from "./context.js";
import { protocolError } from "./failure.js";

export interface TopicSpec {
  readonly topic: string;
  /** `compact`: the last value of each key stays. `delete`: every message stays for a while. */
  readonly policy: "compact" | "delete";
  /** Of one agent (then it has one partition, which keeps the order), or shared by all. */
  readonly shared: boolean;
}

type TopicsContext = Pick<BusContext, "config" | "conditions" | "log">;

/** Protocol number of a topic among the resources that have a configuration. */
const TOPIC: ConfigResourceTypes.TOPIC = 2;

/** Between two looks for a topic that was just created, ms. */
const POLL = 20;

const PURPOSE = {
  compact: "old values would be deleted with time",
  delete: "messages with the same key would be dropped before they are read",
} as const;

/** Sees to it that topics are there, and says in health which are not as they have to be. */
export class Topics {
  private readonly context: TopicsContext;
  private readonly complaints = new Map<string, string>();
  private readonly policies = new Map<string, string | undefined>();

  constructor(context: TopicsContext) {
    this.context = context;
  }

  /**
   * Creates what is missing, if allowed, and checks the cleanup policy of what is there. Throws `BusError` for a missing
   * topic that must not be created, and what kafkajs throws.
   */
  async ensure(admin: Admin, specs: readonly TopicSpec[]): Promise<void> {
    for (const spec of specs) {
      if (await this.exists(admin, spec.topic)) await this.check(admin, spec);
      else await this.create(admin, spec);
    }
  }

  /** What becomes of a topic's old messages, as of the last look at it; `undefined` when we may not ask. */
  policyOf(topic: string): string | undefined {
    return this.policies.get(topic);
  }

  private async exists(admin: Admin, topic: string): Promise<boolean> {
    try {
      await admin.fetchTopicMetadata({ topics: [topic] });
      return true;
    } catch (error) {
      if (protocolError(error) === "UNKNOWN_TOPIC_OR_PARTITION") return false;
      throw error;
    }
  }

  private async create(admin: Admin, { topic, policy, shared }: TopicSpec): Promise<void> {
    const { create_topics, partitions, replication_factor } = this.context.config;
    if (!create_topics) {
      throw new BusError("NO_TOPIC", `topic ${topic} does not exist, and kafka.create_topics is false`);
    }
    const created = await admin.createTopics({
      // kafkajs waits for a topic to be led, but not for the broker to have heard of it.
      waitForLeaders: false,
      topics: [
        {
          topic,
          numPartitions: shared ? partitions : 1,
          replicationFactor: replication_factor,
          configEntries: [{ name: "cleanup.policy", value: policy }],
        },
      ],
    });
    await this.appeared(admin, topic);
    this.policies.set(topic, policy);
    if (created) this.context.log.info({ topic, policy }, "created a topic");
    this.complain(topic, undefined);
  }

  private async appeared(admin: Admin, topic: string): Promise<void> {
    const patience = AbortSignal.timeout(this.context.config.request_timeout);
    while (!(await this.exists(admin, topic))) {
      if (patience.aborted) throw new BusError("NO_TOPIC", `topic ${topic} was created and does not appear`);
      await pause(POLL, patience);
    }
  }

  private async check(admin: Admin, { topic, policy }: TopicSpec): Promise<void> {
    const actual = await this.policy(admin, topic);
    this.policies.set(topic, actual);
    const fits = actual === undefined || (policy === "compact" ? actual === policy : !actual.includes("compact"));
    this.complain(
      topic,
      fits ? undefined : `topic ${topic} has cleanup.policy=${actual}, expected ${policy}: ${PURPOSE[policy]}`,
    );
  }

  /** `undefined` when we may not ask. */
  private async policy(admin: Admin, topic: string): Promise<string | undefined> {
    try {
      const { resources } = await admin.describeConfigs({
        includeSynonyms: false,
        resources: [{ type: TOPIC, name: topic, configNames: ["cleanup.policy"] }],
      });
      return resources[0]?.configEntries.find(({ configName }) => configName === "cleanup.policy")?.configValue;
    } catch (error) {
      if (!protocolError(error).endsWith("AUTHORIZATION_FAILED")) throw error;
      this.context.log.debug({ err: error, topic }, "the broker does not let us check the cleanup policy of a topic");
      return undefined;
    }
  }

  private complain(topic: string, complaint: string | undefined): void {
    if (complaint === undefined) this.complaints.delete(topic);
    else this.complaints.set(topic, complaint);
    const { conditions, log } = this.context;
    if (this.complaints.size === 0) conditions.fine("topics");
    else if (conditions.impaired("topics", [...this.complaints.values()].join("; ")) && complaint) log.warn(complaint);
  }
}
