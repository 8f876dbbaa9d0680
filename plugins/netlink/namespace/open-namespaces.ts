import { closeSync, openSync } from "node:fs";
import { BugError } from "#core/errors.js";
import type { NamespaceHandle, NamespaceRef } from "../types.js";
import type { WorkerChannel } from "../worker/channel.js";
import type { FromWorker } from "../worker/protocol.js";
import { Connection } from "./connection.js";
import { checkCall } from "./failure.js";
import { Handle } from "./handle.js";
import { describeNamespace, openNamespaceFile } from "./namespace-file.js";

interface Entry {
  readonly connection: Connection;
  readonly opened: Promise<void>;
}

/** Every namespace that is open, by its identity: two references to the same namespace share one connection. */
export class OpenNamespaces {
  private readonly byIdentity = new Map<string, Entry>();
  private readonly byId = new Map<number, Connection>();
  private nextId = 1;
  private failure: Error | undefined;
  /** Identity of the namespace that the process is in, once it is open: it stays that one. */
  private own: string | undefined;

  constructor(
    private readonly channel: WorkerChannel,
    private readonly directory: string,
  ) {}

  async open(desired: NamespaceRef): Promise<NamespaceHandle> {
    const own = this.own && this.byIdentity.get(this.own);
    if (desired.kind === "default" && own) return await this.refer(desired, own);
    const { fd, identity, ref } = await openNamespaceFile(desired, this.directory);
    const known = this.byIdentity.get(identity);
    if (known || this.failure) closeSync(fd);
    if (this.failure) throw this.failure;
    if (desired.kind === "default") this.own = identity;
    return await this.refer(ref, known ?? this.connect(identity, fd, describeNamespace(ref)));
  }

  private async refer(ref: NamespaceRef, { connection, opened }: Entry): Promise<NamespaceHandle> {
    connection.references++;
    try {
      await opened;
    } catch (error) {
      this.release(connection);
      throw error;
    }
    return new Handle(ref, connection, () => this.release(connection));
  }

  receive(message: Exclude<FromWorker, { readonly kind: "called" | "mounts" }>): void {
    const connection = this.byId.get(message.namespace);
    // Closed in the meantime: nobody waits for it.
    if (!connection) return;
    if (message.kind === "results") connection.complete(message);
    else if (message.kind === "events") connection.hear(message.bytes);
    else connection.hear("lost");
  }

  /** Sends what every namespace has written so far. */
  flush(): void {
    for (const connection of this.byId.values()) connection.flush();
  }

  /** Rejects every request, in flight or to come, and tells subscribers that it is over. */
  fail(error: Error): void {
    this.failure = error;
    for (const connection of this.byId.values()) connection.fail(error);
    this.byIdentity.clear();
    this.byId.clear();
  }

  private connect(identity: string, fd: number, name: string) {
    const generic = () => this.connectGeneric(identity, fd, name);
    const connection = new Connection(this.channel, this.nextId++, identity, fd, generic);
    const opened = this.channel
      .call({ kind: "open", namespace: connection.id, fd, protocol: "route" })
      .then((result) => checkCall(`open ${name}`, result, "entering it needs CAP_SYS_ADMIN"));
    const entry = { connection, opened };
    this.byIdentity.set(identity, entry);
    this.byId.set(connection.id, connection);
    return entry;
  }

  /** The generic netlink of a namespace that is open. */
  private async connectGeneric(identity: string, fd: number, name: string): Promise<Connection> {
    const own = openSync(`/proc/self/fd/${fd}`, "r");
    const connection = new Connection(this.channel, this.nextId++, identity, own, noGeneric);
    this.byId.set(connection.id, connection);
    const request = { kind: "open", namespace: connection.id, fd: own, protocol: "generic" } as const;
    checkCall(`open ${name}`, await this.channel.call(request), "entering it needs CAP_SYS_ADMIN");
    return connection;
  }

  private release(connection: Connection): void {
    connection.references--;
    if (connection.references > 0 || !this.byId.has(connection.id)) return;
    this.byIdentity.delete(connection.identity);
    this.close(connection);
    connection.openedGeneric?.then(
      (generic) => this.close(generic),
      // It was never open: whoever asked for it knows.
      () => undefined,
    );
  }

  private close(connection: Connection): void {
    connection.flush();
    // Answers to what is in flight come before this one. A crash of the worker has emptied the registry already.
    const forget = () => this.byId.delete(connection.id);
    this.channel.call({ kind: "close", namespace: connection.id }).then(forget, forget);
  }
}

function noGeneric(): never {
  throw new BugError("NETLINK_PROTOCOL", "generic netlink has no generic netlink of its own");
}
