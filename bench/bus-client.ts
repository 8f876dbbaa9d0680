import { randomUUID } from "node:crypto";
import { connect, headers, type NatsConnection } from "nats";
import type { Change, TransactionResult } from "#client/index.js";
import { PARTS_AT_ONCE, sendMessages, transactionMessages } from "#client/parts.js";
import { CONTENT_TYPE_HEADER, PART_HEADER, requestSubject } from "#proto/nats.js";

const HEADER_ROOM = 1_024;
const TIMEOUT = 600_000;

/** A transaction as the messages that go out, so that only the way from the first byte to the answer is measured. */
export type Prepared = readonly Uint8Array[];

/** What the client does, without its retries, in steps that can be measured. */
export class BusClient {
  private constructor(
    readonly connection: NatsConnection,
    private readonly label: string,
  ) {}

  static async connect(url: string, label: string): Promise<BusClient> {
    return new BusClient(await connect({ servers: url }), label);
  }

  prepare(changes: readonly Change[]): Prepared {
    const limit = (this.connection.info?.max_payload ?? 0) - HEADER_ROOM;
    return transactionMessages({ id: randomUUID(), changes }, limit);
  }

  /** Sends a prepared transaction. Throws unless it is applied and every value that the answer names is configured or gone. */
  async commit(messages: Prepared): Promise<TransactionResult> {
    const result = await sendMessages(messages, PARTS_AT_ONCE, (data, part) => this.ask(data, part));
    if (result === undefined) throw new Error("the agent did not answer the last part");
    const bad = result.values.find(({ state }) => state !== "CONFIGURED" && state !== "REMOVED");
    if (result.outcome !== "APPLIED" || bad !== undefined) {
      throw new Error(`${result.outcome}: ${result.error} ${JSON.stringify(bad)}`);
    }
    return result;
  }

  async resyncDownstream(): Promise<TransactionResult> {
    const data = new TextEncoder().encode(JSON.stringify({ downstream: true }));
    const { data: answer } = await this.connection.request(requestSubject(this.label, "resync"), data, {
      timeout: TIMEOUT,
    });
    return JSON.parse(Buffer.from(answer).toString("utf8")) as TransactionResult;
  }

  async close(): Promise<void> {
    await this.connection.close();
  }

  private async ask(data: Uint8Array, part: string | undefined): Promise<TransactionResult> {
    const head = headers();
    head.set(CONTENT_TYPE_HEADER, "application/json");
    if (part !== undefined) head.set(PART_HEADER, part);
    const subject = requestSubject(this.label, "commit");
    const answer = await this.connection.request(subject, data, { headers: head, timeout: TIMEOUT });
    return JSON.parse(Buffer.from(answer.data).toString("utf8")) as TransactionResult;
  }
}
