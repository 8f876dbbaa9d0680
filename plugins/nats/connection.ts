import { connect, Events, type NatsConnection, nuid } from "nats";
import type { Logger } from "#core/logging/types.js";
import { Backoff, pause } from "#core/northbound/backoff.js";
import type { Conditions } from "#core/northbound/conditions.js";
import type { NatsConfig } from "./config.js";
import { connectOptions } from "./connect-options.js";
import { connectFailure } from "./failure.js";

/** What of the plugin can be impaired by itself. Without a connection that is the one reason that counts. */
export type NatsConditions = Conditions<"connection" | "requests" | "ownership" | "desired state" | "last states">;

/** One connection, from the moment it stands until it is lost. */
export interface NatsSession {
  readonly connection: NatsConnection;
  /** What the agent's inboxes begin with. */
  readonly inbox: string;
  /** Aborts when the connection is gone, or is about to be closed. */
  readonly signal: AbortSignal;
}

/** Where sessions come from, for whoever sets himself up anew for each. */
export interface Sessions {
  readonly session: NatsSession | undefined;
  /** The connection, also when there is no session for those who serve the label. */
  readonly connected: NatsSession | undefined;
  /** Bytes that a message may have beside its headers. */
  readonly maxMessage: number;
  onSession(listener: SessionListener): void;
}

/** What headers and the protocol take of the broker's limit. */
const HEADER_ROOM = 1_024;
/** The broker's limit unless it says otherwise. */
const MAX_PAYLOAD = 1024 * 1024;

export type SessionListener = (session: NatsSession) => void;

/** Resolves when the broker has taken everything that was sent, or the session is over: a flush then never settles. */
export async function flushSession({ connection }: NatsSession): Promise<void> {
  await Promise.race([connection.flush().catch(() => connection.closed()), connection.closed()]);
}

interface ConnectionContext {
  readonly config: NatsConfig;
  /** What the broker's monitoring shows. */
  readonly name: string;
  readonly log: Logger;
  readonly conditions: NatsConditions;
}

/**
 * Keeps the agent connected, for ever: a connection that fails or is lost is replaced after a pause with backoff and jitter.
 *
 * Each connection is a {@link NatsSession} of its own and whoever needs the bus sets itself up anew for it. The library can
 * reconnect by itself, but gives up after two refusals of the same credentials, keeps credentials it once read, and drops
 * what was written meanwhile; with sessions there is one way in, at start as after a loss.
 */
export class BusConnection implements Sessions {
  private readonly context: ConnectionContext;
  private readonly listeners: SessionListener[] = [];
  private readonly closing = new AbortController();
  /** What inboxes of this agent's connections begin with: nobody else's do. */
  readonly inbox: string;
  /** Servers of the cluster that a server told us about. */
  private discovered: readonly string[] = [];
  private currentSession: NatsSession | undefined;
  private maxPayload = MAX_PAYLOAD - HEADER_ROOM;
  /** Of the session. */
  private ended = new AbortController();

  constructor(context: ConnectionContext) {
    this.context = context;
    this.inbox = `${context.config.inbox_prefix.replace(/\.$/, "")}.${nuid.next()}`;
  }

  /**
   * Called for every connection, in order of registration. The listener must not throw, and says in the conditions when it is
   * not yet set up. Register before `start`.
   */
  onSession(listener: SessionListener): void {
    this.listeners.push(listener);
  }

  get session(): NatsSession | undefined {
    return this.currentSession;
  }

  get connected(): NatsSession | undefined {
    return this.currentSession;
  }

  /** Bytes that a message may have beside its headers, as the broker said last. */
  get maxMessage(): number {
    return this.maxPayload;
  }

  /** Begins to connect and returns at once. */
  start(): void {
    const { config, conditions } = this.context;
    if (config.url === "") {
      conditions.impaired("connection", "no NATS server was given: set nats.url or start with --nats URL");
      return;
    }
    conditions.impaired("connection", "not connected to NATS yet");
    void this.run();
  }

  /** Sends what is buffered and closes; after `drain_timeout` without it. */
  async close(): Promise<void> {
    this.closing.abort();
    this.ended.abort();
    const connection = this.currentSession?.connection;
    if (connection === undefined || connection.isClosed()) return;
    const deadline = new AbortController();
    await Promise.race([connection.drain(), pause(this.context.config.drain_timeout, deadline.signal)]);
    deadline.abort();
    await connection.close();
  }

  private async run(): Promise<void> {
    const { reconnect_min, reconnect_max } = this.context.config;
    const backoff = new Backoff(reconnect_min, reconnect_max);
    const closing = this.closing.signal;
    while (!closing.aborted) {
      const connection = await this.connect();
      // Nothing may come between this look and the session: `close` knows of no other connection.
      if (closing.aborted) {
        await connection?.close();
      } else if (connection !== undefined) {
        const since = performance.now();
        await this.serve(connection);
        // A server that accepts and hangs up at once is as good as one that refuses.
        if (performance.now() - since > reconnect_max) backoff.reset();
      }
      await backoff.wait(closing);
    }
  }

  private async connect(): Promise<NatsConnection | undefined> {
    const { config, name, conditions, log } = this.context;
    try {
      return await connect(connectOptions(config, { name, inbox: this.inbox }, this.discovered));
    } catch (error) {
      const reason = connectFailure(error, config.url);
      if (!this.closing.signal.aborted && conditions.impaired("connection", reason)) log.warn({ err: error }, reason);
    }
    return undefined;
  }

  private async serve(connection: NatsConnection): Promise<void> {
    const { config, conditions, log } = this.context;
    const server = connection.getServer();
    this.discovered = connection.info?.connect_urls ?? [];
    log.info({ server, version: connection.info?.version }, "connected to NATS");
    void this.logErrors(connection);

    this.ended = new AbortController();
    this.maxPayload = (connection.info?.max_payload ?? MAX_PAYLOAD) - HEADER_ROOM;
    this.currentSession = { connection, inbox: this.inbox, signal: this.ended.signal };
    for (const listener of this.listeners) listener(this.currentSession);
    conditions.fine("connection");
    const error = await connection.closed();
    this.ended.abort();
    this.currentSession = undefined;

    if (this.closing.signal.aborted) return;
    const reason = error ? connectFailure(error, config.url) : `the NATS server at ${server} closed the connection`;
    conditions.impaired("connection", reason);
    log.warn(reason);
  }

  /** What the broker complains about while the connection goes on, for example a subject we may not use. */
  private async logErrors(connection: NatsConnection): Promise<void> {
    const { log } = this.context;
    for await (const status of connection.status()) {
      if (status.type === Events.Error) {
        log.warn({ error: status.data, permission: status.permissionContext }, "the NATS server reports an error");
      } else if (status.type === Events.LDM) {
        log.info({ server: connection.getServer() }, "the NATS server is about to shut down");
      }
    }
  }
}
