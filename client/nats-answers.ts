import type { Msg } from "nats";
import { AgentClientError } from "./client.js";
import { TryAgain } from "./nats-connection.js";
import type { TransactionResult } from "./types.js";

/** Headers of an error in the NATS service API. */
const SERVICE_ERROR = "Nats-Service-Error";
const SERVICE_ERROR_CODE = "Nats-Service-Error-Code";

function parse(message: Msg): object {
  try {
    const parsed: unknown = JSON.parse(Buffer.from(message.data).toString("utf8"));
    if (typeof parsed === "object" && parsed !== null) return parsed;
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
  }
  throw new AgentClientError("BAD_ANSWER", `the answer from ${message.subject} is no JSON object`);
}

/** Throws what the agent says is wrong with the request. A busy agent may be asked again. */
function throwServiceError(message: Msg): void {
  const status = message.headers?.get(SERVICE_ERROR_CODE) ?? "";
  if (status === "") return;
  const { error } = parse(message) as { readonly error?: { readonly code?: string; readonly message?: string } };
  const text = error?.message ?? message.headers?.get(SERVICE_ERROR) ?? "unknown error";
  const code = error?.code ?? status;
  throw status === "503" ? new TryAgain(code, text) : new AgentClientError(code, text);
}

/** The answer to a request that has a single result. */
export function answerResult(messages: readonly Msg[]): TransactionResult {
  const [message] = messages;
  if (message === undefined) throw new AgentClientError("BAD_ANSWER", "an empty answer");
  throwServiceError(message);
  const result = parse(message) as Partial<TransactionResult>;
  if (typeof result.outcome !== "string") throw new AgentClientError("BAD_ANSWER", "the answer has no outcome");
  return {
    id: "",
    seq: 0,
    error: "",
    values: [],
    operations: [],
    truncated: false,
    ...result,
    outcome: result.outcome,
  };
}

/** The answer to a request of a plugin's own. One in several messages is a list, some of it in each. */
export function answerObject(messages: readonly Msg[]): object {
  const [message] = messages;
  if (message === undefined) throw new AgentClientError("BAD_ANSWER", "an empty answer");
  throwServiceError(message);
  const answer = parse(message);
  if (messages.length === 1) return answer;
  return Object.fromEntries(Object.keys(answer).map((field) => [field, answerList(messages, field)]));
}

/** The answer to a request for a list, put together from all its messages. */
export function answerList<T>(messages: readonly Msg[], field: string): readonly T[] {
  for (const message of messages) throwServiceError(message);
  return messages.flatMap((message) => {
    const list = (parse(message) as { readonly [field: string]: unknown })[field];
    if (list !== undefined && !Array.isArray(list))
      throw new AgentClientError("BAD_ANSWER", `the answer's ${field} is no list`);
    return (list ?? []) as readonly T[];
  });
}
