import { AckPolicy, createInbox, DeliverPolicy, type Msg, nuid, type Subscription } from "nats";
import { BusError } from "#core/errors.js";
import type { Bucket } from "./buckets.js";
import type { NatsSession } from "./connection.js";

/** One entry of a bucket as the broker delivers it. */
export interface BucketEntry {
  readonly key: string;
  /** `expired`: the server says that its time to live is over, which nobody asked for at that moment. */
  readonly kind: "put" | "delete" | "expired";
  readonly data: Uint8Array;
  /** Sequence number in the bucket's stream. */
  readonly revision: number;
  /** When it was written by the broker's clock, nanoseconds since 1970. */
  readonly time: bigint;
  /** How many more wait behind it. */
  readonly pending: number;
}

/** The broker sends something at least so often, ms: what it has, or a heartbeat. */
const HEARTBEAT = 2_000;
/** Silence for longer, ms, means that nobody reads for us any more: the consumer, or its stream, is gone. */
const SILENCE = 3 * HEARTBEAT;
const NS = 1_000_000;

/** A message without data from the broker itself: a heartbeat, or a question how far we are. */
const STATUS_IDLE = 100;
/** Where the answer to that question may go. Anybody who knows our inbox can ask, and name another subject. */
const FLOW_CONTROL = "$JS.FC.";

/** ADR-43: headers of a marker that the server itself leaves when it removes the last message of a subject. */
const MARKER_REASON = "Nats-Marker-Reason";
const EXPIRED = "MaxAge";
const OPERATION = "KV-Operation";

/**
 * Reads what a bucket has under a filter, the newest entry of each key, and goes on with what is written. It ends with an error
 * whenever it cannot be sure to have read all: the library's own reader would silently begin anew at the revision that it had
 * reached, which in a bucket made anew comes late or never.
 */
export class BucketReader {
  /** Entries that waited when the reading began. */
  readonly waiting: number;
  private readonly bucket: Bucket;
  private readonly session: NatsSession;
  private readonly subscription: Subscription;
  private delivered = 0;
  private watchdog: NodeJS.Timeout | undefined;
  private failure: Error | undefined;

  private constructor(session: NatsSession, bucket: Bucket, subscription: Subscription, waiting: number) {
    this.session = session;
    this.bucket = bucket;
    this.subscription = subscription;
    this.waiting = waiting;
  }

  /** `after`: entries beyond this revision only. */
  static async open(session: NatsSession, bucket: Bucket, filter: string, after?: number): Promise<BucketReader> {
    const inbox = createInbox(session.inbox);
    const subscription = session.connection.subscribe(inbox);
    try {
      const { num_pending } = await bucket.consumers.add(bucket.stream, {
        name: nuid.next(),
        deliver_subject: inbox,
        ...(after === undefined
          ? { deliver_policy: DeliverPolicy.LastPerSubject }
          : { deliver_policy: DeliverPolicy.StartSequence, opt_start_seq: after + 1 }),
        filter_subject: bucket.prefix + filter,
        ack_policy: AckPolicy.None,
        max_deliver: 1,
        flow_control: true,
        idle_heartbeat: HEARTBEAT * NS,
        mem_storage: true,
        num_replicas: 1,
      });
      return new BucketReader(session, bucket, subscription, num_pending);
    } catch (error) {
      subscription.unsubscribe();
      throw error;
    }
  }

  /** Throws `BusError` when entries were missed or may have been; ends with the connection or with `close`. */
  async *entries(): AsyncGenerator<BucketEntry> {
    this.listen();
    try {
      for await (const message of this.subscription) {
        this.watchdog?.refresh();
        const entry = this.entry(message);
        if (entry !== undefined) yield entry;
      }
    } finally {
      this.close();
    }
    if (this.failure !== undefined) throw this.failure;
  }

  /** Ends the reading with an error. */
  fail(error: Error): void {
    this.failure ??= error;
    this.subscription.unsubscribe();
  }

  /** The broker forgets the consumer soon after, when nobody listens to it. */
  close(): void {
    clearTimeout(this.watchdog);
    this.subscription.unsubscribe();
  }

  private listen(): void {
    this.watchdog = setTimeout(() => {
      // What came while the event loop was busy is not looked at yet.
      setImmediate(() => {
        if (this.subscription.isClosed()) return;
        if (this.subscription.getPending() > 0) {
          this.watchdog?.refresh();
          return;
        }
        this.fail(new BusError("READER_LOST", `nothing is heard of the reader of bucket ${this.bucket.name}`));
      });
    }, SILENCE);
    this.watchdog.unref();
  }

  private entry(message: Msg): BucketEntry | undefined {
    const { headers, reply = "" } = message;
    if (headers?.code === STATUS_IDLE) {
      this.answerStatus(message);
      return undefined;
    }
    const place = placeOf(reply);
    if (place === undefined || !message.subject.startsWith(this.bucket.prefix)) return undefined;
    this.delivered += 1;
    if (place.delivered !== this.delivered) throw this.missed();
    return {
      key: message.subject.slice(this.bucket.prefix.length),
      kind: kindOf(message),
      data: message.data,
      revision: place.revision,
      time: place.time,
      pending: place.pending,
    };
  }

  private answerStatus({ headers, reply = "" }: Msg): void {
    const stalled = headers?.get("Nats-Consumer-Stalled") ?? "";
    for (const subject of [reply, stalled]) {
      if (subject.startsWith(FLOW_CONTROL)) this.session.connection.publish(subject);
    }
    const last = headers?.get("Nats-Last-Consumer") ?? "";
    if (last !== "" && Number(last) > this.delivered) throw this.missed();
  }

  private missed(): BusError {
    return new BusError("READER_LOST", `entries of bucket ${this.bucket.name} were missed: it is read again`);
  }
}

function kindOf({ headers }: Msg): BucketEntry["kind"] {
  const reason = headers?.get(MARKER_REASON) ?? "";
  if (reason === EXPIRED) return "expired";
  const operation = headers?.get(OPERATION) ?? "";
  return reason !== "" || operation === "DEL" || operation === "PURGE" ? "delete" : "put";
}

/** Where in the stream an entry is: told by the subject that it could be acknowledged on, in one of two forms (ADR-15). */
function placeOf(
  reply: string,
):
  | { readonly revision: number; readonly delivered: number; readonly time: bigint; readonly pending: number }
  | undefined {
  const tokens = reply.split(".");
  if (tokens[0] !== "$JS" || tokens[1] !== "ACK") return undefined;
  const [revision = "", delivered = "", time = "", pending = ""] = tokens.slice(tokens.length === 9 ? 5 : 7);
  if (![revision, delivered, time, pending].every((text) => /^\d+$/.test(text))) return undefined;
  return { revision: Number(revision), delivered: Number(delivered), time: BigInt(time), pending: Number(pending) };
}
