import { type BigIntStats, closeSync, fstatSync, openSync } from "node:fs";
import { join } from "node:path";
import { BugError, errorMessage, InvalidInputError, SouthboundError } from "#core/errors.js";
import type { NamespaceHandle, NamespaceRef } from "../types.js";
import type { WorkerChannel } from "../worker/channel.js";
import type { FromWorker } from "../worker/protocol.js";
import { Connection } from "./connection.js";
import { checkCall } from "./failure.js";
import { Handle } from "./handle.js";

/** Every namespace that is open, by its identity: two references to the same namespace share one connection. */
export class NamespaceRegistry {
  private readonly byIdentity = new Map<string, { readonly connection: Connection; readonly opened: Promise<void> }>();
  private readonly byId = new Map<number, Connection>();
  private nextId = 1;

  constructor(
    private readonly channel: WorkerChannel,
    private readonly directory: string,
  ) {}

  async open(ref: NamespaceRef): Promise<NamespaceHandle> {
    const name = describeNamespace(ref);
    const fd = openNamespaceFile(this.path(ref), name);
    const identity = identityOf(fstatSync(fd, { bigint: true }));
    const known = this.byIdentity.get(identity);
    if (known) closeSync(fd);
    const { connection, opened } = known ?? this.connect(identity, fd, name);
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
    if (message.kind === "results") connection.settle(message);
    else if (message.kind === "events") connection.hear(message.bytes);
    else connection.hear("lost");
  }

  /** Sends what every namespace has written so far. */
  flush(): void {
    for (const connection of this.byId.values()) connection.flush();
  }

  /** Rejects every request, in flight or to come, and tells subscribers that it is over. */
  fail(error: Error): void {
    for (const connection of this.byId.values()) connection.fail(error);
    this.byIdentity.clear();
    this.byId.clear();
  }

  private path(ref: NamespaceRef): string {
    switch (ref.kind) {
      case "default":
        return "/proc/self/ns/net";
      case "named":
        return join(this.directory, checkName(ref.name));
      case "pid":
        return `/proc/${ref.pid}/ns/net`;
      case "path":
        return ref.path;
    }
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
    const own = openNamespaceFile(`/proc/self/fd/${fd}`, name);
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

/** Of a namespace's file; its own for as long as the namespace exists. */
export function identityOf({ dev, ino }: Pick<BigIntStats, "dev" | "ino">): string {
  return `${dev}:${ino}`;
}

export function describeNamespace(ref: NamespaceRef): string {
  switch (ref.kind) {
    case "default":
      return "the default network namespace";
    case "named":
      return `network namespace ${ref.name}`;
    case "pid":
      return `the network namespace of process ${ref.pid}`;
    case "path":
      return `network namespace ${ref.path}`;
  }
}

/** A name is one file name. Throws `InvalidInputError` for any other. */
export function checkName(name: string): string {
  if (name === "" || name === "." || name === ".." || name.includes("/") || name.includes("\0") || name.length > 255) {
    throw new InvalidInputError("INVALID_VALUE", `"${name}" cannot be the name of a network namespace`, {
      field: "name",
    });
  }
  return name;
}

function openNamespaceFile(path: string, name: string): number {
  try {
    return openSync(path, "r");
  } catch (error) {
    const code = error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : "EIO";
    throw new SouthboundError(code, `open ${name}: ${errorMessage(error)}`, { cause: error });
  }
}
