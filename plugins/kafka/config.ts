import { z } from "zod";
import { duration } from "#core/config/duration.js";
import { TOPICS } from "#proto/kafka.js";
import { parseBrokers } from "./brokers.js";

const time = duration.refine((ms) => ms > 0, "expected a time longer than 0");

/** What Kafka allows in the name of a topic; `<label>` stands for the agent's label. */
const topicName = z
  .string()
  .refine(
    (text) => /^[\w.-]{1,249}$/.test(text.replaceAll("<label>", "label")),
    "a topic name has only letters, digits, dots, dashes and underscores, and <label> for the agent's label",
  );

const brokers = z.string().superRefine((text, context) => {
  try {
    parseBrokers(text);
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    context.addIssue({ code: "custom", message: error.message });
  }
});

const sasl = z
  .strictObject({
    mechanism: z.enum(["none", "plain", "scram-sha-256", "scram-sha-512", "oauthbearer"]).default("none"),
    username: z.string().default(""),
    password: z.string().default(""),
    password_file: z.string().default("").describe("Instead of the password itself"),
    token: z.string().default("").describe("For oauthbearer"),
    token_file: z.string().default("").describe("Instead of the token itself, read again for every connection"),
  })
  .prefault({});

const tls = z
  .strictObject({
    enabled: z.boolean().default(false).describe("Ask for TLS; implied by ca_file or cert_file"),
    ca_file: z.string().default(""),
    cert_file: z.string().default("").describe("Client certificate, for mutual TLS"),
    key_file: z.string().default(""),
  })
  .prefault({});

const topics = z
  .strictObject({
    config: topicName.default(TOPICS.config).describe("Desired state, compacted"),
    commands: topicName.default(TOPICS.commands).describe("Transactions"),
    results: topicName.default(TOPICS.results).describe("Their results"),
    interface_state: topicName.default(TOPICS.interfaceState).describe("Last interface states, compacted"),
    events: topicName.default(TOPICS.events),
    dead_letter: topicName.default(TOPICS.deadLetter).describe("Messages that can never be applied"),
  })
  .prefault({});

/** Section `kafka` of the configuration. Sizes are bytes. Credentials and certificates are read again at every connect. */
export const kafkaConfig = z.strictObject({
  brokers: brokers
    .default("")
    .describe("One or several brokers, separated by commas: host:9092,other:9092,[2001:db8::1]:9092"),
  client_id: z.string().default("tenuto-<label>").describe("What brokers' logs and quotas call the agent"),
  tls,
  sasl,

  topics,
  reply_topics: z
    .array(
      z.string().regex(/^[\w.-]{1,249}\*?$|^\*$/, "expected the name of a topic, or the beginning of names and a *"),
    )
    .default([])
    .describe(
      "Topics beside topics.results that a command may name for its result (header reply-topic): names, or beginnings of " +
        "names with a * behind them. Write it to each has to be allowed to the agent",
    ),
  create_topics: z.boolean().default(true).describe("Create topics that are missing; otherwise wait for them"),
  partitions: z.int().min(-1).default(-1).describe("Of a shared topic that the agent has to create; -1: the broker's"),
  replication_factor: z
    .int()
    .min(-1)
    .max(32_767)
    .default(-1)
    .describe("Of a topic to create; -1: the broker's default"),

  missing: z
    .enum(["keep", "remove"])
    .default("keep")
    .describe(
      "What becomes of values that are not in the topic of the desired state any more when nobody is known to have deleted " +
        "them: keep leaves them as they are and degrades the agent, remove takes their absence for a delete",
    ),
  topic_check: time.prefault("3s").describe("How often it is looked whether topics were deleted and made anew"),

  connect_timeout: time.prefault("5s"),
  request_timeout: time.prefault("10s").describe("A broker that takes longer is left"),
  reconnect_min: time.prefault("250ms").describe("First pause after a failure; doubles each time"),
  reconnect_max: time.prefault("15s").describe("Longest pause. Every pause is shortened by up to half, at random"),
  session_timeout: time
    .prefault("6s")
    .describe("How long the group waits for a consumer that died without a word; brokers allow 6s or more"),
  heartbeat_interval: time.prefault("1s"),
  rebalance_timeout: time
    .prefault("2s")
    .describe(
      "How long the group waits for a consumer that died, once its successor is there; no longer than a session",
    ),
  fetch_wait: time.prefault("1s").describe("How long a broker keeps an idle fetch open; closing may take as long"),
  stall_timeout: time
    .prefault("5s")
    .describe("Longer than fetch_wait. A consumer that shows no sign of life for longer is replaced"),
  drain_timeout: time.prefault("3s").describe("How long closing waits for answers under way"),

  max_message_bytes: z
    .int()
    .min(16 * 1024)
    .default(1_000_000)
    .describe("Largest message that the agent sends; the broker's max.message.bytes has to allow it"),
  max_pending_commands: z.int().min(1).default(64).describe("Commands worked on at the same time"),
  max_pending_bytes: z
    .int()
    .min(1)
    .default(16 * 1024 * 1024)
    .describe("Results that wait to be sent; with more, no command is taken"),
  max_pending_events: z
    .int()
    .min(1)
    .default(10_000)
    .describe("Events kept while the bus is away or has others to take first"),
  part_timeout: time.prefault("60s").describe("A transaction in parts is dropped when the next part takes longer"),
});

export type KafkaConfig = z.infer<typeof kafkaConfig>;
