import { type ConnectionOptions, connect, ErrorCode, Events, headers, type Msg, type NatsConnection } from "nats";
import { CONTENT_TYPE_HEADER, PART_HEADER } from "#proto/nats.js";
import { identityCheck, parseNatsAddress } from "#proto/nats-address.js";
import { AgentClientError } from "./client.js";

export interface NatsOptions {
  /** `nats://host:4222`, `tls://user:password@host`, several separated by commas or as a list. */
  readonly servers: string | readonly string[];
  /** How long an answer may take in all, ms. Default 60 s. */
  readonly timeout?: number;
  /** How long to go on asking when no agent is there, ms; more for agents that restart. Default 500 ms. */
  readonly patience?: number;
  /** Anything else that the NATS library takes: credentials, TLS, the connection's name. */
  readonly connection?: ConnectionOptions;
}

/** One question: all messages of the answer, in order. */
export interface Question {
  readonly subject: string;
  readonly data: Uint8Array;
  /** `tenuto-part` of a transaction in parts. */
  readonly part?: string;
  /** How long this attempt may take, ms. */
  readonly timeout: number;
}

const DEFAULT_TIMEOUT = 60_000;
/** A broker that shuts down may hang up on the agent a moment before it hangs up on us. */
const DEFAULT_PATIENCE = 500;
const CONNECT_TIMEOUT = 5_000;
/** How long agents may take to find a broker again that was away: more than their longest pause. */
const RETURN = 20_000;

/** What one attempt ended with when another may succeed. */
export class TryAgain extends AgentClientError {}

/** A connection for requests. It reconnects by itself; a request under way when it is lost fails at once with {@link TryAgain}. */
export class NatsRequests {
  readonly connection: NatsConnection;
  readonly timeout: number;
  private readonly patience: number;
  private standing = true;
  /** Until when agents may be on their way back to a broker that was away; `performance.now()`. */
  private returning = 0;
  /** Ends the attempts under way. */
  private readonly attempts = new Set<(lost: TryAgain) => void>();
  private closing = false;

  private constructor(connection: NatsConnection, options: NatsOptions) {
    this.connection = connection;
    this.timeout = options.timeout ?? DEFAULT_TIMEOUT;
    this.patience = options.patience ?? DEFAULT_PATIENCE;
    void this.follow();
  }

  static async connect(options: NatsOptions): Promise<NatsRequests> {
    const where = typeof options.servers === "string" ? options.servers : options.servers.join(",");
    try {
      const { servers, tls, user, password, token } = parseNatsAddress(where);
      const { tls: tlsOptions, ...others } = options.connection ?? {};
      // Not among the library's own options: it hands what it does not know to Node's TLS.
      const identity = { checkServerIdentity: identityCheck(servers) };
      const connection = await connect({
        servers: [...servers],
        timeout: CONNECT_TIMEOUT,
        reconnectTimeWait: 250,
        maxReconnectAttempts: -1,
        ...(tls || tlsOptions ? { tls: { ...identity, ...tlsOptions } } : {}),
        ...(user === undefined ? {} : { user }),
        ...(password === undefined ? {} : { pass: password }),
        ...(token === undefined ? {} : { token }),
        ...others,
      });
      return new NatsRequests(connection, options);
    } catch (error) {
      throw connectError(error, where);
    }
  }

  /** Largest message that the broker takes, bytes, headers included. */
  get maxPayload(): number {
    return this.connection.info?.max_payload ?? 1024 * 1024;
  }

  /** Until when to go on asking although nobody is there, for a request that began at `begin`; `performance.now()`. */
  patientUntil(begin: number): number {
    return Math.max(begin + this.patience, this.returning);
  }

  /** Asks once. Rejects with {@link TryAgain} when the answer did not come and asking again may help. */
  ask(question: Question): Promise<readonly Msg[]> {
    if (this.closing || this.connection.isClosed()) return Promise.reject(closed());
    if (!this.standing) return Promise.reject(new TryAgain("UNREACHABLE", "there is no connection to NATS"));
    return new Promise((resolve, reject) => {
      this.attempts.add(reject);
      this.exchange(question)
        .then(resolve, reject)
        .finally(() => this.attempts.delete(reject));
    });
  }

  async close(): Promise<void> {
    this.closing = true;
    await this.connection.close();
  }

  private async exchange({ subject, data, part, timeout }: Question): Promise<readonly Msg[]> {
    const head = headers();
    head.set(CONTENT_TYPE_HEADER, "application/json");
    if (part !== undefined) head.set(PART_HEADER, part);
    const messages: Msg[] = [];
    try {
      for await (const message of await this.connection.requestMany(subject, data, {
        maxWait: timeout,
        headers: head,
      })) {
        messages.push(message);
        if (messages.length >= answerLength(message)) return messages;
      }
    } catch (error) {
      throw requestError(error, subject);
    }
    throw new TryAgain("TIMEOUT", `no answer within ${timeout} ms (${subject})`);
  }

  private async follow(): Promise<void> {
    for await (const { type } of this.connection.status()) {
      if (type === Events.Reconnect) {
        this.standing = true;
        this.returning = performance.now() + RETURN;
      }
      if (type !== Events.Disconnect) continue;
      this.standing = false;
      for (const end of this.attempts) end(new TryAgain("UNREACHABLE", "the connection to NATS was lost"));
    }
  }
}

function closed(cause?: unknown): AgentClientError {
  return new AgentClientError("CLOSED", "the client was closed", cause);
}

/** How many messages an answer has, told by any of them. */
function answerLength(message: Msg): number {
  const [, total] = /^\d+\/(\d+)$/.exec(message.headers?.get(PART_HEADER) ?? "") ?? [];
  return total === undefined ? 1 : Number(total);
}

function codeOf(error: unknown): string {
  return error instanceof Error && "code" in error ? String(error.code) : "";
}

function requestError(error: unknown, subject: string): AgentClientError {
  switch (codeOf(error)) {
    case ErrorCode.NoResponders:
      return new TryAgain(
        "NO_AGENT",
        `no agent answers to ${subject}: is it running, with this label, on this NATS?`,
        error,
      );
    case ErrorCode.PermissionsViolation:
      return new AgentClientError("DENIED", `the NATS account may not publish to ${subject}`, error);
    case ErrorCode.MaxPayloadExceeded:
      return new AgentClientError("TOO_LARGE", "one change is larger than a message of the NATS server", error);
    case ErrorCode.ConnectionClosed:
    case ErrorCode.ConnectionDraining:
      return closed(error);
    default:
      return new TryAgain("UNREACHABLE", `${subject} could not be asked: ${textOf(error)}`, error);
  }
}

function connectError(error: unknown, where: string): AgentClientError {
  const safe = where.replaceAll(/\/\/[^@/,]*@/g, "//");
  switch (codeOf(error)) {
    case ErrorCode.AuthorizationViolation:
    case ErrorCode.BadAuthentication:
    case ErrorCode.AuthenticationTimeout:
      return new AgentClientError("DENIED", `NATS at ${safe} refuses the credentials`, error);
    case ErrorCode.ConnectionRefused:
      return new AgentClientError("UNREACHABLE", `NATS at ${safe} cannot be reached: nothing listens there`, error);
    case ErrorCode.Timeout:
      return new AgentClientError("UNREACHABLE", `NATS at ${safe} does not answer`, error);
    default:
      return new AgentClientError("UNREACHABLE", `NATS at ${safe} cannot be reached: ${textOf(error)}`, error);
  }
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
