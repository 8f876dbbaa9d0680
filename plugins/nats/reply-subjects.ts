import type { Msg, NatsConnection, SubscriptionOptions } from "nats";
import type { Logger } from "#core/logging/types.js";

/** A refusal is logged at once, and then at most so often, ms: whoever sends many must not fill the log. */
const LOG_INTERVAL = 10_000;

/**
 * Which subjects an answer may go to. The requester names the subject, and the agent publishes there with its own rights: one who
 * may only ask could have it write to `$JS.API.…` or `$KV.…`. So answers go to inboxes alone, and never to the agent's own, where
 * they would be taken for answers to what the agent itself asked.
 */
export class ReplySubjects {
  private readonly prefixes: readonly string[];
  private readonly ownInbox: string;
  private readonly log: Logger;
  private refusedCount = 0;
  private lastLogged = Number.NEGATIVE_INFINITY;

  /** `ownInbox`: what the agent's own inboxes begin with. A prefix is whole tokens, with or without a dot at its end. */
  constructor(prefixes: readonly string[], ownInbox: string, log: Logger) {
    this.prefixes = prefixes.map(withDot);
    this.ownInbox = withDot(ownInbox);
    this.log = log;
  }

  /** A message without a reply subject wants no answer, which is allowed. */
  allows(reply: string | undefined): boolean {
    if (reply === undefined || reply === "") return true;
    return this.prefixes.some((prefix) => reply.startsWith(prefix)) && !reply.startsWith(this.ownInbox);
  }

  /** Requests that were not looked at because of their reply subjects. */
  get refused(): number {
    return this.refusedCount;
  }

  /**
   * The connection for whoever subscribes and answers with the library's means: messages whose answers may not be sent do not reach
   * the subscriber's callback. `refused` is called for each.
   */
  guard(connection: NatsConnection, refused: (subject: string) => void): NatsConnection {
    const subscribe: NatsConnection["subscribe"] = (subject, options) => {
      const callback = options?.callback;
      if (callback === undefined) return connection.subscribe(subject, options);
      const guarded: SubscriptionOptions["callback"] = (error, message) => {
        if (error !== null || this.allows(message.reply)) callback(error, message);
        else {
          this.refuse(message);
          refused(subject);
        }
      };
      return connection.subscribe(subject, { ...options, callback: guarded });
    };
    // The library makes its services for the connection object that is asked, and keeps them in `_services`.
    const own: PropertyDescriptorMap = {
      subscribe: { value: subscribe },
      _services: { value: undefined, writable: true },
    };
    return Object.create(connection, own) as NatsConnection;
  }

  private refuse({ subject, reply }: Msg): void {
    this.refusedCount += 1;
    const now = performance.now();
    if (now - this.lastLogged < LOG_INTERVAL) return;
    this.lastLogged = now;
    this.log.warn(
      { subject, reply, refused: this.refusedCount },
      "a request whose answer would not go to an inbox was ignored (nats.reply_prefixes)",
    );
  }
}

function withDot(prefix: string): string {
  return prefix.endsWith(".") ? prefix : `${prefix}.`;
}
