import { errorMessage, TenutoError } from "#core/errors.js";
import type { KafkaConfig } from "../config.js";

/** The error under those that say only that something failed, retried and failed again. */
function root(error: unknown): unknown {
  if (!(error instanceof Error) || error instanceof TenutoError) return error;
  if ("errors" in error && Array.isArray(error.errors) && error.errors.length > 0) return root(error.errors[0]);
  return error.cause === undefined || error.cause === error ? error : root(error.cause);
}

/** Kafka's own name of an error (`UNKNOWN_TOPIC_OR_PARTITION`), empty for others. */
export function protocolError(error: unknown): string {
  const cause = root(error);
  return cause instanceof Error && "type" in cause ? String(cause.type) : "";
}

/** Was it thrown by code that was given something it cannot work with, and not by the bus? */
export function isOurs(error: unknown): boolean {
  const cause = root(error);
  return cause instanceof TypeError || cause instanceof RangeError;
}

/** What kafkajs calls a connection that ended, and the lack of any. */
const GONE = new Set(["KafkaJSConnectionClosedError", "KafkaJSNoBrokerAvailableError"]);
const HUNG_UP = new Set(["ECONNREFUSED", "ECONNRESET", "EPIPE"]);

/** Why something on the bus did not work, in words that say what to look at. */
export function kafkaFailure(error: unknown, { brokers, sasl }: KafkaConfig): string {
  const cause = root(error);
  if (cause instanceof TenutoError) return cause.message;
  const where = `Kafka at ${brokers}`;
  const { name, code } = cause instanceof Error ? { code: undefined, ...cause, name: cause.name } : {};
  const message = errorMessage(cause);
  // kafkajs does not look at the answer to a token, and learns from the next one that it was no good.
  if (name === "KafkaJSSASLAuthenticationError" || protocolError(error) === "ILLEGAL_SASL_STATE") {
    return `${where} refuses the credentials (${sasl.mechanism}): check kafka.sasl: ${message}`;
  }
  if (protocolError(error).endsWith("AUTHORIZATION_FAILED")) return `${where} does not allow it: ${message}`;
  if (name === "KafkaJSGroupCoordinatorNotFound") {
    return `${where} names no coordinator for the agent's consumer groups: there is none now, or they are not for this user`;
  }
  if (HUNG_UP.has(String(code)) || GONE.has(name ?? "")) {
    return `${where} cannot be reached: nothing listens there, or it hung up (TLS or SASL may be missing)`;
  }
  if (code === "ENOTFOUND" || code === "EAI_AGAIN") {
    return `${where} cannot be reached: the host name is not known (${code})`;
  }
  if (name === "KafkaJSRequestTimeoutError" || (name === "KafkaJSConnectionError" && /timeout/i.test(message))) {
    return `${where} does not answer`;
  }
  if (name === "KafkaJSConnectionError") return `${where} cannot be reached: ${message}`;
  return `${where}: ${message}`;
}
