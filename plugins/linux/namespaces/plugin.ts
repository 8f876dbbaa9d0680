import { z } from "zod";
import { AgentInfo } from "#core/agent/types.js";
import { duration } from "#core/config/duration.js";
import { errorMessage } from "#core/errors.js";
import { PluginHealthReporter } from "#core/health/types.js";
import { Logger } from "#core/logging/types.js";
import { inject, type Plugin, PluginConfig, plugin, provide } from "#core/plugin/index.js";
import type { TransactionRecord } from "#core/scheduler/api/scheduler.js";
import { Scheduler } from "#core/scheduler/api/token.js";
import { type NamespaceRef, Netlink } from "#plugins/netlink/index.js";
import type { NetNamespace } from "#proto/index.js";
import { isCode, ManagedNamespaces } from "./managed-namespaces.js";
import { Microservices } from "./microservices.js";
import { NAMESPACE_PREFIX, namespaceKind, namespaceRef, OWN_NAMESPACE_KEY } from "./reference.js";
import { NamespaceRegistry } from "./registry.js";
import { Namespaces } from "./types.js";
import { isReference, isUnsettled, NamespaceWatch, type Watched } from "./watch.js";

/** Keys of the values that may refer to a namespace. */
const DESIRED_PREFIX = "config/linux/";

export const namespacesConfig = z.strictObject({
  container_sockets: z
    .array(z.string().startsWith("/", "expected the absolute path of a Unix socket"))
    .default(["/var/run/docker.sock", "/run/podman/podman.sock"])
    .describe("sockets of the container engines in which microservices run; those that do not exist are waited for"),
  microservice_variable: z
    .string()
    .min(1)
    .default("MICROSERVICE_LABEL")
    .describe("environment variable of a container that names the microservice it runs"),
  microservice_label: z
    .string()
    .min(1)
    .default("io.tenuto.microservice")
    .describe("container label that names the microservice where the environment variable does not"),
  engine_retry: duration.prefault("2s").describe("how long to wait before an engine that is away is tried again"),
  check_interval: duration
    .prefault("1s")
    .describe("how often to look whether the processes and files that values refer to are still there"),
});

export type NamespacesConfig = z.infer<typeof namespacesConfig>;

/**
 * Provides {@link Namespaces}, and tells the scheduler when the namespace of values goes or comes. Removes the namespaces of
 * ours that no value needs any more: none exists there, and none is desired there. A desired value that is pending still
 * needs its namespace, because programs may be running in it.
 */
@plugin({
  name: "linux-namespaces",
  description: "Network namespaces: found by name, process, path or container; made when missing, removed when unused.",
  config: namespacesConfig,
  provides: [provide(Namespaces, (self: NamespacesPlugin) => self.namespaces)],
})
export class NamespacesPlugin implements Plugin {
  readonly namespaces: Namespaces;
  private readonly named: ManagedNamespaces;
  private readonly watch: NamespaceWatch;
  private readonly microservices: Microservices;
  /** Namespaces of desired values, by key. */
  private readonly desired = new Map<string, NetNamespace>();
  /** Sockets at which an engine has answered. */
  private readonly engines = new Set<string>();
  /** By socket. */
  private readonly troubles = new Map<string, string>();
  private readonly undo: (() => void)[] = [];
  private closed = false;
  private removing: NodeJS.Immediate | undefined;
  /** Before the first transaction has ended nobody knows what is desired, and namespaces of the agent's last life may be needed. */
  private isDesiredKnown = false;

  constructor(
    @inject(Netlink) private readonly netlink: Netlink,
    @inject(Scheduler) private readonly scheduler: Scheduler,
    @inject(AgentInfo) agent: AgentInfo,
    @inject(PluginConfig) private readonly config: NamespacesConfig,
    @inject(PluginHealthReporter) private readonly health: PluginHealthReporter,
    @inject(Logger) private readonly log: Logger,
  ) {
    const locate = (namespace: NetNamespace | undefined) => this.locate(namespace);
    this.named = new ManagedNamespaces(netlink, agent.label, () => this.removeSoon());
    this.watch = new NamespaceWatch({ netlink, scheduler, locate });
    this.namespaces = new NamespaceRegistry({ netlink, named: this.named, watch: this.watch });
    this.microservices = new Microservices({
      sockets: config.container_sockets,
      variable: config.microservice_variable,
      label: config.microservice_label,
      retry: config.engine_retry,
      onChange: (name) => this.check(isReference("MICROSERVICE", name)),
      onEngine: (socketPath, trouble) => this.hearOfEngine(socketPath, trouble),
    });
  }

  async init(): Promise<void> {
    this.scheduler.registerDescriptor({
      name: "linux-namespace",
      prefix: NAMESPACE_PREFIX,
      retrieve: async () => this.watch.announced(),
    });
    this.undo.push(
      this.netlink.watchNamed((event) => {
        this.named.changed(event);
        this.check(isReference("NSID", event.name));
      }),
      this.scheduler.watchTransactions((record) => this.hearOfTransaction(record)),
    );
    const timer = setInterval(() => this.check(), this.config.check_interval);
    this.undo.push(() => clearInterval(timer));
    await this.microservices.start();
  }

  afterInit(): void {
    this.scheduler.notify([{ key: OWN_NAMESPACE_KEY, value: {} }]);
  }

  close(): void {
    for (const undo of this.undo.splice(0)) undo();
    clearImmediate(this.removing);
    this.closed = true;
    this.microservices.close();
    this.named.close();
  }

  private locate(namespace: NetNamespace | undefined): NamespaceRef | undefined {
    if (namespaceKind(namespace) !== "MICROSERVICE") return namespaceRef(namespace);
    const process = this.microservices.processOf(namespace?.reference ?? "");
    return process && { kind: "pid", pid: process.pid, startTime: process.startTime };
  }

  private hearOfTransaction({ kind, values }: TransactionRecord): void {
    if (kind !== "notification") this.isDesiredKnown = true;
    for (const { key } of values) {
      if (!key.startsWith(DESIRED_PREFIX)) continue;
      const desired: { readonly namespace?: NetNamespace } | undefined = this.scheduler.desired(key);
      this.watch.wants(key, desired?.namespace, this.desired.get(key));
      if (desired?.namespace === undefined) this.desired.delete(key);
      else this.desired.set(key, desired.namespace);
    }
    this.check(isUnsettled);
    this.removeSoon();
  }

  private check(selects?: (watched: Watched) => boolean): void {
    this.watch.check(selects).catch((error: unknown) => {
      if (!this.closed) this.log.warn({ error: errorMessage(error) }, "cannot see whether a namespace is still there");
    });
  }

  /** An engine that has never been there is no trouble: the host may have none. */
  private hearOfEngine(socketPath: string, trouble?: { readonly reason: string; readonly code: string }): void {
    if (trouble === undefined) {
      this.engines.add(socketPath);
      if (this.troubles.delete(socketPath)) this.log.info({ socket: socketPath }, "the container engine answers again");
    } else if (
      (trouble.code !== "ENOENT" || this.engines.has(socketPath)) &&
      this.troubles.get(socketPath) !== trouble.reason
    ) {
      this.troubles.set(socketPath, trouble.reason);
      this.log.warn({ socket: socketPath, error: trouble.reason }, "the container engine cannot be reached");
    }
    const reasons = [...this.troubles].map(([socket, reason]) => `the container engine at ${socket}: ${reason}`);
    if (reasons.length === 0) this.health.ok();
    else this.health.degraded(`microservices may not be found: ${reasons.join("; ")}`);
  }

  /** Once for all namespaces that become unused in one turn of the event loop. */
  private removeSoon(): void {
    if (this.closed || !this.isDesiredKnown || !this.named.hasUnused) return;
    this.removing ??= setImmediate(() => {
      this.removing = undefined;
      this.removeUnused().catch((error: unknown) => this.log.error({ err: error }, "unused namespaces not removed"));
    });
  }

  private async removeUnused(): Promise<void> {
    const isDesired = (name: string) => this.watch.isDesired(name);
    const names = await this.named.removeUnused(isDesired, (namespace, error) => {
      if (isCode(error, "ENOENT")) this.log.debug({ namespace }, "unused namespace is gone already");
      else this.log.warn({ namespace, error: errorMessage(error) }, "unused namespace not removed");
    });
    for (const namespace of names) this.log.info({ namespace }, "removed namespace that nothing needs any more");
  }
}
