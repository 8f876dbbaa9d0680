import { type Container, ContainerEngine } from "./container-engine.js";
import { startTimeOf } from "./process.js";

export interface MicroserviceOptions {
  /** Unix sockets of container engines. */
  readonly sockets: readonly string[];
  /** Environment variable of a container that says which microservice it runs. */
  readonly variable: string;
  /** Container label that says so where the variable does not. */
  readonly label: string;
  /** How long to wait before an engine that cannot be reached is tried again, ms. */
  readonly retry: number;
  /** The microservice of that name came, went, or is another process now. */
  readonly onChange: (name: string) => void;
  /** An engine answers (no reason), or does not. `ENOENT`: it has no socket, and may not be installed. */
  readonly onEngine: (socketPath: string, trouble?: { readonly reason: string; readonly code: string }) => void;
}

export interface Running {
  readonly name: string;
  readonly pid: number;
  /** When the engine named it: a process that has its id later is not it. `undefined` for one that the agent cannot see. */
  readonly startTime: string | undefined;
}

interface Connection {
  readonly engine: ContainerEngine;
  /** By container id. */
  readonly containers: Map<string, Running>;
  retrying: NodeJS.Timeout | undefined;
}

/**
 * The microservices that run on this host: containers that carry a name, in whichever engine. An engine that goes away keeps what
 * was known of it until it answers again. Of several containers with one name the one that was found first counts.
 */
export class Microservices {
  private readonly options: MicroserviceOptions;
  private readonly connections: Connection[] = [];
  private closed = false;

  constructor(options: MicroserviceOptions) {
    this.options = options;
  }

  /** Resolves when every engine that can be reached has said what runs. */
  async start(): Promise<void> {
    await Promise.all(this.options.sockets.map((socketPath) => this.connect(socketPath)));
  }

  /** The first process of a microservice; `undefined` when it does not run. */
  processOf(name: string): Running | undefined {
    for (const { containers } of this.connections) {
      for (const running of containers.values()) if (running.name === name) return running;
    }
    return undefined;
  }

  close(): void {
    this.closed = true;
    for (const { engine, retrying } of this.connections) {
      clearTimeout(retrying);
      engine.close();
    }
  }

  private connect(socketPath: string): Promise<void> {
    return new Promise((resolve) => {
      const containers = new Map<string, Running>();
      const engine = new ContainerEngine(socketPath, {
        running: (all) => {
          this.replace(containers, all);
          this.options.onEngine(socketPath);
          resolve();
        },
        started: (container) => this.set(containers, container.id, this.describe(container)),
        stopped: (id) => this.set(containers, id, undefined),
      });
      const connection: Connection = { engine, containers, retrying: undefined };
      this.connections.push(connection);
      this.follow(connection, resolve);
    });
  }

  /** Follows an engine for good. `tried` is called when the first attempt is over. */
  private follow(connection: Connection, tried: () => void): void {
    const { engine } = connection;
    const again = (reason: string, code: string): void => {
      tried();
      if (this.closed) return;
      this.options.onEngine(engine.socketPath, { reason, code });
      connection.retrying = setTimeout(() => this.follow(connection, tried), this.options.retry);
    };
    engine.follow().then(
      () => again("it ended the conversation", "ECONNRESET"),
      (error: NodeJS.ErrnoException) => again(error.message, error.code ?? "EPROTO"),
    );
  }

  private describe({ pid, environment, labels }: Container): Running | undefined {
    const { variable, label } = this.options;
    const prefix = `${variable}=`;
    const name = environment.find((entry) => entry.startsWith(prefix))?.slice(prefix.length) || labels[label];
    return name ? { name, pid, startTime: startTimeOf(pid) } : undefined;
  }

  private replace(containers: Map<string, Running>, all: readonly Container[]): void {
    const found = new Map(all.map((container) => [container.id, this.describe(container)]));
    for (const id of [...containers.keys()]) if (!found.has(id)) this.set(containers, id, undefined);
    for (const [id, running] of found) this.set(containers, id, running);
  }

  private set(containers: Map<string, Running>, id: string, running: Running | undefined): void {
    const before = containers.get(id);
    const isSame = before?.pid === running?.pid && before?.startTime === running?.startTime;
    if (before?.name === running?.name && isSame) return;
    if (running === undefined) containers.delete(id);
    else containers.set(id, running);
    for (const name of new Set([before?.name, running?.name])) if (name !== undefined) this.options.onChange(name);
  }
}
