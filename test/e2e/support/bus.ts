/**
 * An orchestrator as others would write it: the NATS library, JSON and the contract's names, and nothing of Tenuto's own code.
 */
import { connect, type Msg, type NatsConnection } from "nats";

export interface ValueReport {
  readonly key: string;
  readonly state: string;
  readonly error: string;
  readonly last_operation: string;
  readonly details: readonly string[];
}

export interface OperationReport {
  readonly operation: string;
  readonly key: string;
  readonly derived: boolean;
  readonly state: string;
  readonly error: string;
}

export interface Result {
  readonly id: string;
  readonly seq: number;
  readonly outcome: string;
  readonly error: string;
  readonly values: readonly ValueReport[];
  readonly operations: readonly OperationReport[];
}

export interface Change {
  readonly key: string;
  readonly value?: object;
  readonly delete?: boolean;
}

const REQUEST_MS = 60_000;

export class Orchestrator {
  private constructor(
    readonly connection: NatsConnection,
    readonly label: string,
  ) {}

  static async connect(servers: string, label: string): Promise<Orchestrator> {
    return new Orchestrator(await connect({ servers }), label);
  }

  /** One transaction as JSON; returns the reply as it came, parsed. */
  commit(changes: readonly Change[], more: object = {}): Promise<Result> {
    return this.request("config.commit", { ...more, changes });
  }

  async request<T>(request: string, body: object): Promise<T> {
    return (await this.send(request, JSON.stringify(body))).json<T>();
  }

  /** Any bytes, no header: the agent tells JSON from protobuf by looking. */
  send(request: string, payload: string | Uint8Array): Promise<Msg> {
    return this.connection.request(`tenuto.${this.label}.${request}`, payload, { timeout: REQUEST_MS });
  }

  /** Collects what is published below a subject of this agent from now on. */
  collect(subject: string): readonly Msg[] {
    const messages: Msg[] = [];
    this.connection.subscribe(`tenuto.${this.label}.${subject}`, {
      callback: (error, message) => {
        if (error === null) messages.push(message);
      },
    });
    return messages;
  }

  /** Puts a desired value into the bucket `tenuto-config`. */
  async put(key: string, value: object): Promise<void> {
    const bucket = await this.connection.jetstream().views.kv("tenuto-config");
    await bucket.put(`${this.label}.${escaped(key)}`, JSON.stringify(value));
  }

  async withdraw(key: string): Promise<void> {
    const bucket = await this.connection.jetstream().views.kv("tenuto-config");
    await bucket.delete(`${this.label}.${escaped(key)}`);
  }

  async close(): Promise<void> {
    await this.connection.close();
  }
}

/** The contract's escaping of a KV key: every byte outside `[A-Za-z0-9_/-]` is `=HH`. */
function escaped(key: string): string {
  return key.replaceAll(
    /[^A-Za-z0-9_/-]/g,
    (char) => `=${char.charCodeAt(0).toString(16).toUpperCase().padStart(2, "0")}`,
  );
}
