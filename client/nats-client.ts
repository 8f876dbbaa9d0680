import { randomUUID } from "node:crypto";
import { setTimeout as pause } from "node:timers/promises";
import type { Msg } from "nats";
import { type ConfigRequest, groupSubject, requestSubject, SERVICE } from "#proto/nats.js";
import { type AgentClient, AgentClientError } from "./client.js";
import { DesiredState } from "./desired-state.js";
import { answerList, answerObject, answerResult } from "./nats-answers.js";
import { type NatsOptions, NatsRequests, TryAgain } from "./nats-connection.js";
import { natsEvents } from "./nats-events.js";
import { PARTS_AT_ONCE, sendMessages, transactionMessages } from "./parts.js";
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
} from "./types.js";

export interface ConnectOptions extends NatsOptions {
  /** The agent's name. */
  readonly label: string;
}

/** An agent as it presents itself on the bus. */
export interface AgentDescription {
  readonly label: string;
  readonly version: string;
  readonly flavor: string;
}

/** What headers and protocol take of the broker's limit. */
const HEADER_ROOM = 1_024;
/** After so long without an answer a transaction is asked for again, in case that the agent was restarted; ms. */
const ASK_AGAIN = 2_000;
const ASK_AGAIN_IN_PARTS = 30_000;
const LONGEST_PAUSE = 1_000;

/** Connects to an agent over NATS. Rejects with `AgentClientError` when the broker cannot be reached or refuses us. */
export async function connectNats(options: ConnectOptions): Promise<NatsClient> {
  return new NatsClient(await NatsRequests.connect(options), options.label);
}

/** {@link AgentClient} over NATS, and what only the bus has: the desired state in its bucket, and other agents. */
export class NatsClient implements AgentClient {
  readonly label: string;
  /** Desired state that the bus keeps, as opposed to transactions that are asked for. */
  readonly desired: DesiredState;
  private readonly requests: NatsRequests;

  constructor(requests: NatsRequests, label: string) {
    this.requests = requests;
    this.label = label;
    this.desired = new DesiredState(requests, label);
  }

  /** A client for another agent, on the same connection: closing one closes both. */
  agent(label: string): NatsClient {
    return new NatsClient(this.requests, label);
  }

  /** The agents that answer now. */
  async discover(): Promise<readonly AgentDescription[]> {
    const agents: AgentDescription[] = [];
    for await (const { metadata } of await this.requests.connection.services.client().info(SERVICE)) {
      agents.push({ label: metadata?.label ?? "", version: metadata?.version ?? "", flavor: metadata?.flavor ?? "" });
    }
    return agents.sort((a, b) => a.label.localeCompare(b.label));
  }

  commit(transaction: Transaction): Promise<TransactionResult> {
    const messages = transactionMessages(
      { ...transaction, id: transaction.id ?? randomUUID() },
      this.requests.maxPayload - HEADER_ROOM,
    );
    const askAgain = messages.length === 1 ? ASK_AGAIN : ASK_AGAIN_IN_PARTS;
    let atOnce = PARTS_AT_ONCE;
    return this.persist((timeout) => {
      const attempt = this.commitOnce(messages, atOnce, Math.min(timeout, askAgain));
      // It may have been too much for a busy agent.
      atOnce = 1;
      return attempt;
    });
  }

  confirm(id: string): Promise<TransactionResult> {
    return this.result("confirm", { id });
  }

  cancel(id: string): Promise<TransactionResult> {
    return this.result("cancel", { id });
  }

  resync(options: ResyncOptions = {}): Promise<TransactionResult> {
    return this.result("resync", options);
  }

  async get(prefix = ""): Promise<readonly KeyValue[]> {
    return answerList(await this.ask("get", { prefix }), "values");
  }

  async dump(view: DumpView, prefix = ""): Promise<readonly KeyValue[]> {
    return answerList(await this.ask("dump", { view, prefix }), "values");
  }

  async status({ prefix = "", state }: StatusFilter = {}): Promise<readonly ValueStatus[]> {
    return answerList(await this.ask("status", { prefix, state: state ?? "all" }), "values");
  }

  async history(seq = 0): Promise<readonly HistoryEntry[]> {
    return answerList(await this.ask("history", { seq }), "entries");
  }

  async request(group: string, name: string, argument: object = {}): Promise<object> {
    return answerObject(await this.askSubject(groupSubject(this.label, group, name), argument));
  }

  watch(topic: WatchTopic, { signal }: { readonly signal?: AbortSignal } = {}): AsyncIterable<AgentEvent> {
    return natsEvents(this.requests, this.label, topic, signal);
  }

  async close(): Promise<void> {
    await this.requests.close();
  }

  private async result(request: ConfigRequest, argument: object): Promise<TransactionResult> {
    return answerResult(await this.ask(request, argument));
  }

  private ask(request: ConfigRequest, argument: object): Promise<readonly Msg[]> {
    return this.askSubject(requestSubject(this.label, request), argument);
  }

  private askSubject(subject: string, argument: object): Promise<readonly Msg[]> {
    const data = new TextEncoder().encode(JSON.stringify(argument));
    return this.persist((timeout) => this.requests.ask({ subject, data, timeout }));
  }

  private async commitOnce(
    messages: readonly Uint8Array[],
    atOnce: number,
    timeout: number,
  ): Promise<TransactionResult> {
    const subject = requestSubject(this.label, "commit");
    const result = await sendMessages(messages, atOnce, async (data, part) =>
      answerResult(await this.requests.ask({ subject, data, timeout, ...(part === undefined ? {} : { part }) })),
    );
    if (result === undefined) throw new TryAgain("BAD_ANSWER", "the agent has not got all parts of the transaction");
    return result;
  }

  /**
   * Tries until there is an answer or the time is over. Nobody there to ask is final after `patience`, unless somebody was
   * there before: then agent or broker are being restarted.
   */
  private async persist<T>(attempt: (timeout: number) => Promise<T>): Promise<T> {
    const begin = performance.now();
    const end = begin + this.requests.timeout;
    let wait = 50;
    let lost = false;
    for (;;) {
      try {
        return await attempt(Math.max(1, end - performance.now()));
      } catch (error) {
        if (!(error instanceof TryAgain)) throw error;
        lost ||= error.code !== "NO_AGENT";
        const until = lost ? end : Math.min(this.requests.patientUntil(begin), end);
        if (performance.now() + wait >= until) throw final(error, performance.now() - begin);
      }
      // Many that were refused together are not to come back together.
      await pause(wait * (0.5 + Math.random() / 2));
      wait = Math.min(wait * 2, LONGEST_PAUSE);
    }
  }
}

function final(error: TryAgain, elapsed: number): AgentClientError {
  const seconds = (elapsed / 1000).toFixed(1);
  const message = error.code === "TIMEOUT" ? `the agent did not answer within ${seconds} s` : error.message;
  return new AgentClientError(error.code, message, error);
}
