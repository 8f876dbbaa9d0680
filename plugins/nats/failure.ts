import { ErrorCode } from "nats";
import { errorMessage, TenutoError } from "#core/errors.js";

function codeOf(error: unknown): string {
  return error instanceof Error && "code" in error ? String(error.code) : "";
}

/** The address for messages: without user information. */
function withoutCredentials(url: string): string {
  return url.replaceAll(/\/\/[^@/,]*@/g, "//");
}

/** Why there is no connection, in words that say what to look at. */
export function connectFailure(error: unknown, url: string): string {
  if (error instanceof TenutoError) return error.message;
  const where = `NATS at ${withoutCredentials(url)}`;
  const code = codeOf(error);
  switch (code) {
    case ErrorCode.ConnectionRefused:
    case "ECONNRESET":
    case "EPIPE":
      return `${where} cannot be reached: nothing listens there, or it hung up`;
    case ErrorCode.Timeout:
    case ErrorCode.ConnectionTimeout:
      return `${where} does not answer`;
    case "ENOTFOUND":
    case "EAI_AGAIN":
      return `${where} cannot be reached: the host name is not known (${code})`;
    case ErrorCode.AuthorizationViolation:
    case ErrorCode.BadAuthentication:
    case ErrorCode.AuthenticationTimeout:
      return `${where} refuses the credentials: check nats.user, password, token, nkey_seed_file or credentials_file`;
    case ErrorCode.AuthenticationExpired:
    case ErrorCode.AccountExpired:
      return `${where} says that the credentials have expired`;
    case ErrorCode.BadCreds:
      return "the file of nats.credentials_file holds no credentials";
    case ErrorCode.ServerOptionNotAvailable:
      return `${where} does not offer ${errorMessage(error)}, which the configuration asks for`;
    default:
      return `${where} cannot be reached: ${errorMessage(error)}${code === "" ? "" : ` (${code})`}`;
  }
}

/** Why a bucket cannot be used. */
export function bucketFailure(error: unknown, bucket: string): string {
  const code = codeOf(error);
  if (error instanceof TenutoError) return error.message;
  if (code === ErrorCode.JetStreamNotEnabled) {
    return `bucket ${bucket} is not available: JetStream is not enabled on the NATS server or for this account`;
  }
  if (code === ErrorCode.Timeout) return `bucket ${bucket} is not available: no answer from JetStream`;
  return `bucket ${bucket} is not available: ${errorMessage(error)}`;
}
