import { randomUUID } from "node:crypto";
import { type ClientRequest, type IncomingMessage, type RequestOptions, request } from "node:http";
import { request as requestOverTls } from "node:https";
import { type AgentClient, AgentClientError } from "#client/client.js";
import type {
  AgentEvent,
  DumpView,
  HistoryEntry,
  KeyValue,
  ResyncOptions,
  StatusFilter,
  Transaction,
  TransactionResult,
  ValueStatus,
  WatchTopic,
} from "#client/types.js";
import { serverSentEvents } from "./server-sent-events.js";

/** Where the agent is: its local socket, or its address, with the token that it wants there. */
export type LocalClientOptions = (
  | { readonly socketPath: string }
  | { readonly url: URL; readonly token?: string | undefined }
) & {
  /** How long an answer may take, ms. */
  readonly timeout: number;
};

const EVENT_KIND: Readonly<Record<WatchTopic, string>> = {
  interfaces: "interface",
  values: "value",
  drift: "drift",
  transactions: "transaction",
  ifmgr: "ifmgr",
  health: "health",
  deadletters: "deadletter",
};

/** Speaks to an agent over its HTTP API: on this host over its local socket, elsewhere over TCP. */
export class LocalClient implements AgentClient {
  private readonly closing = new AbortController();

  constructor(private readonly options: LocalClientOptions) {}

  async commit(transaction: Transaction): Promise<TransactionResult> {
    const body = JSON.stringify({ ...transaction, id: transaction.id ?? randomUUID() });
    try {
      return await this.result("POST", "/v1/transactions", body);
    } catch (cause) {
      if (!(cause instanceof AgentClientError) || cause.code !== "UNREACHABLE") throw cause;
      // The connection broke: the agent may or may not have seen it. Under the same id it is applied once in either case.
      return await this.result("POST", "/v1/transactions", body);
    }
  }

  confirm(id: string): Promise<TransactionResult> {
    return this.result("POST", `/v1/transactions/${encodeURIComponent(id)}/confirm`);
  }

  cancel(id: string): Promise<TransactionResult> {
    return this.result("POST", `/v1/transactions/${encodeURIComponent(id)}/cancel`);
  }

  get(prefix?: string): Promise<readonly KeyValue[]> {
    return this.json("GET", withQuery("/v1/config", { prefix }));
  }

  dump(view: DumpView, prefix?: string): Promise<readonly KeyValue[]> {
    return this.json("GET", withQuery("/v1/dump", { view, prefix }));
  }

  resync(options: ResyncOptions = {}): Promise<TransactionResult> {
    const flag = (value: boolean | undefined): string | undefined => (value ? "true" : undefined);
    const { downstream, prune, dry_run } = options;
    const query = { downstream: flag(downstream), prune: flag(prune), dry_run: flag(dry_run) };
    return this.result("POST", withQuery("/v1/resync", query));
  }

  status(filter: StatusFilter = {}): Promise<readonly ValueStatus[]> {
    return this.json("GET", withQuery("/v1/status", { prefix: filter.prefix, state: filter.state }));
  }

  async history(seq?: number): Promise<readonly HistoryEntry[]> {
    if (seq === undefined) return await this.json("GET", "/v1/transactions");
    return [await this.json<HistoryEntry>("GET", `/v1/transactions/${seq}`)];
  }

  request(group: string, name: string, argument: object = {}): Promise<object> {
    return this.json("POST", `/v1/${group}/${name}`, JSON.stringify(argument));
  }

  async *watch(topic: WatchTopic, options: { readonly signal?: AbortSignal } = {}): AsyncGenerator<AgentEvent> {
    const signals = [this.closing.signal, ...(options.signal === undefined ? [] : [options.signal])];
    const signal = AbortSignal.any(signals);
    try {
      const response = await this.send("GET", withQuery("/v1/events", { kind: EVENT_KIND[topic] }), { signal });
      await refuseErrors(response);
      response.setEncoding("utf8");
      for await (const { data } of serverSentEvents(response)) yield JSON.parse(data) as AgentEvent;
    } catch (cause) {
      if (signal.aborted) return;
      throw this.failure(cause);
    }
    if (!signal.aborted)
      throw new AgentClientError("UNREACHABLE", "the agent ended the stream of events; is it stopping?");
  }

  close(): Promise<void> {
    this.closing.abort();
    return Promise.resolve();
  }

  private async result(method: string, path: string, body?: string): Promise<TransactionResult> {
    return { truncated: false, ...(await this.json<Omit<TransactionResult, "truncated">>(method, path, body)) };
  }

  private async json<T>(method: string, path: string, body?: string): Promise<T> {
    const late = AbortSignal.timeout(this.options.timeout);
    try {
      const response = await this.send(method, path, { signal: AbortSignal.any([this.closing.signal, late]) }, body);
      await refuseErrors(response);
      return await parsed<T>(response);
    } catch (cause) {
      throw late.aborted ? this.tooLate() : this.failure(cause);
    }
  }

  private send(method: string, path: string, options: RequestOptions, body?: string): Promise<IncomingMessage> {
    return new Promise((resolve, reject) => {
      const type = body === undefined ? {} : { "content-type": "application/json" };
      const common = { ...options, method, path, agent: false } as const;
      const outgoing = this.open({ ...common, headers: type }, resolve);
      outgoing.once("error", reject);
      outgoing.end(body);
    });
  }

  private open(options: RequestOptions, answered: (response: IncomingMessage) => void): ClientRequest {
    if ("socketPath" in this.options) {
      const headers = { ...options.headers, host: "localhost" };
      return request({ ...options, headers, socketPath: this.options.socketPath }, answered);
    }
    const { url, token } = this.options;
    const headers = { ...options.headers, ...(token === undefined ? {} : { authorization: `Bearer ${token}` }) };
    const ask = url.protocol === "https:" ? requestOverTls : request;
    return ask(url, { ...options, headers }, answered);
  }

  private get place(): string {
    return "socketPath" in this.options ? this.options.socketPath : this.options.url.origin;
  }

  private tooLate(): AgentClientError {
    const { timeout } = this.options;
    return new AgentClientError("TIMEOUT", `the agent on ${this.place} did not answer within ${timeout / 1000} s`);
  }

  /** What went wrong, in words for somebody who does not know how we speak to agents. */
  private failure(cause: unknown): AgentClientError {
    if (cause instanceof AgentClientError) return cause;
    if (this.closing.signal.aborted) return new AgentClientError("CLOSED", "the client was closed", cause);
    const { code, message } = cause as NodeJS.ErrnoException;
    if (code === "ENOENT" || code === "ECONNREFUSED") {
      const advice = "start one with `tenuto agent`, or say where it is with --socket or TENUTO_SOCKET";
      return new AgentClientError("NO_AGENT", `no agent is listening on ${this.place}; ${advice}`, cause);
    }
    if (code === "EACCES" || code === "EPERM") {
      const advice = "run this command as root, or as a member of the socket's group";
      return new AgentClientError("DENIED", `no permission to use ${this.place}; ${advice}`, cause);
    }
    return new AgentClientError("UNREACHABLE", `the connection to ${this.place} broke: ${message}`, cause);
  }
}

function withQuery(path: string, parameters: Readonly<Record<string, string | undefined>>): string {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(parameters)) if (value !== undefined) query.set(name, value);
  return query.size === 0 ? path : `${path}?${query}`;
}

/** 422 is a rejected transaction, which is an answer. Every other status of 400 and more is an error with a code. */
async function refuseErrors(response: IncomingMessage): Promise<void> {
  const status = response.statusCode ?? 0;
  if (status < 400 || status === 422) return;
  const { error } = await parsed<{ error?: { code?: string; message?: string } }>(response);
  throw new AgentClientError(error?.code ?? "BAD_ANSWER", error?.message ?? `the agent answered with status ${status}`);
}

async function parsed<T>(response: IncomingMessage): Promise<T> {
  response.setEncoding("utf8");
  let text = "";
  for await (const piece of response) text += piece;
  try {
    return JSON.parse(text) as T;
  } catch (cause) {
    throw new AgentClientError("BAD_ANSWER", `the agent's answer is not JSON: ${text.slice(0, 80)}`, cause);
  }
}
