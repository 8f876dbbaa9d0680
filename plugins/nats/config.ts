import { z } from "zod";
import { duration } from "#core/config/duration.js";
import { CONFIG_BUCKET, STATE_BUCKET } from "#proto/nats.js";
import { parseNatsAddress } from "#proto/nats-address.js";

const time = duration.refine((ms) => ms > 0, "expected a time longer than 0");

/** A broker allows letters, digits, `-` and `_` in the name of a bucket. */
const bucketName = z.string().regex(/^[-\w]+$/, "a bucket name has only letters, digits, - and _");

const address = z.string().superRefine((text, context) => {
  try {
    parseNatsAddress(text);
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    context.addIssue({ code: "custom", message: error.message });
  }
});

/** Whole tokens of a subject, without wildcards. */
const subjectPrefix = z
  .string()
  .regex(
    /^[^\s.*>$][^\s.*>]*(\.[^\s.*>]+)*\.?$/,
    "expected the beginning of a subject, such as _INBOX, that is not the server's ($…)",
  );

/** Section `nats` of the configuration. Sizes are bytes. Credentials and certificates are read again at every connect. */
export const natsConfig = z.strictObject({
  url: address
    .default("")
    .describe("One or several servers, separated by commas: nats://host:4222, tls://user:password@host"),
  user: z.string().default(""),
  password: z.string().default(""),
  password_file: z.string().default("").describe("Instead of the password itself, which is seen on a command line"),
  token: z.string().default(""),
  token_file: z.string().default("").describe("Instead of the token itself"),
  nkey_seed_file: z.string().default("").describe("File with the seed of an nkey (SU…)"),
  credentials_file: z.string().default("").describe("Credentials file (.creds) with a JWT and a seed"),
  tls: z
    .strictObject({
      enabled: z
        .boolean()
        .default(false)
        .describe("Ask for TLS; implied by a tls:// address or by ca_file or cert_file"),
      ca_file: z.string().default(""),
      cert_file: z.string().default("").describe("Client certificate, for mutual TLS"),
      key_file: z.string().default(""),
    })
    .prefault({}),

  connect_timeout: time.prefault("5s"),
  reconnect_min: time.prefault("250ms").describe("First pause after a failed or lost connection; doubles each time"),
  reconnect_max: time.prefault("15s").describe("Longest pause. Every pause is shortened by up to half, at random"),
  ping_interval: time.prefault("5s").describe("A server that misses two pings is left"),
  drain_timeout: time.prefault("3s").describe("How long closing waits for answers under way"),

  inbox_prefix: subjectPrefix
    .default("_INBOX")
    .describe("What the agent's own inboxes begin with: a prefix of its own keeps other users of the bus out of them"),
  reply_prefixes: z
    .array(subjectPrefix)
    .min(1)
    .default(["_INBOX"])
    .describe(
      "What the reply subject of a request has to begin with. Others are ignored: the agent's rights are not theirs",
    ),

  owner_lease: time
    .prefault("5s")
    .describe(
      "Of several agents with one label one serves it; another takes over when nothing is heard of it for so long",
    ),

  config_bucket: bucketName.default(CONFIG_BUCKET),
  missing: z
    .enum(["keep", "remove"])
    .default("keep")
    .describe(
      "What becomes of values that are not in config_bucket any more when nobody is known to have deleted them: " +
        "keep leaves them as they are and degrades the agent, remove takes their absence for a delete",
    ),
  bucket_check: time.prefault("3s").describe("How often the bucket is looked at, whether it is still the same one"),
  state_bucket: bucketName.default(STATE_BUCKET),
  bucket_replicas: z.int().min(1).max(5).default(1).describe("Of a bucket that the agent has to create"),

  max_pending_requests: z.int().min(1).default(1_000).describe("Requests in work; one more is answered with 503"),
  max_pending_bytes: z
    .int()
    .min(1)
    .default(128 * 1024 * 1024)
    .describe("Their payloads together"),
  max_pending_events: z
    .int()
    .min(1)
    .default(10_000)
    .describe("Events kept while the bus is away or has others to take first"),
  part_timeout: time.prefault("60s").describe("A transaction in parts is dropped when the next part takes longer"),
});

export type NatsConfig = z.infer<typeof natsConfig>;
