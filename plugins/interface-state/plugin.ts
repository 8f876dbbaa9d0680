import { z } from "zod";
import { duration } from "#core/config/duration.js";
import { errorMessage } from "#core/errors.js";
import { PluginHealthReporter } from "#core/health/types.js";
import { Logger } from "#core/logging/types.js";
import { EventPublisher } from "#core/northbound/index.js";
import { inject, type Plugin, PluginConfig, plugin } from "#core/plugin/index.js";
import { InterfaceIndex, type InterfaceMetadata, Namespaces } from "#plugins/linux/index.js";
import { interfaceKey } from "#proto/index.js";
import { NamespaceFollower } from "./namespace-follower.js";
import { InterfaceReporter } from "./reporter.js";

export const interfaceStateConfig = z.strictObject({
  statistics_interval: duration.prefault("10s").describe("How often counters are published; 0 for never"),
  min_interval: duration
    .prefault("100ms")
    .describe("Changes of one interface that come faster than this are folded into one notification"),
});

export type InterfaceStateConfig = z.infer<typeof interfaceStateConfig>;

type Follower = Promise<NamespaceFollower | undefined>;

interface Followed {
  readonly metadata: InterfaceMetadata;
  readonly follower: Follower;
}

interface NamespaceUse {
  readonly follower: Follower;
  /** Interfaces followed there. */
  count: number;
}

/**
 * Publishes the state of every configured interface: when the kernel says that it changed, its counters on an interval, and
 * that it is gone.
 */
@plugin({
  name: "interface-state",
  description: "State and counters of interfaces, published on change and on an interval.",
  config: interfaceStateConfig,
})
export class InterfaceStatePlugin implements Plugin {
  /** By logical name. A reporter outlives its interface, so that notifications are numbered on. */
  readonly #reporters = new Map<string, InterfaceReporter>();
  readonly #followed = new Map<string, Followed>();
  /** By identity of the namespace. */
  readonly #followers = new Map<string, NamespaceUse>();
  #unwatch: () => void = () => undefined;
  #interval: NodeJS.Timeout | undefined;

  constructor(
    @inject(InterfaceIndex) private readonly interfaces: InterfaceIndex,
    @inject(Namespaces) private readonly namespaces: Namespaces,
    @inject(EventPublisher) private readonly events: EventPublisher,
    @inject(PluginConfig) private readonly config: InterfaceStateConfig,
    @inject(PluginHealthReporter) private readonly health: PluginHealthReporter,
    @inject(Logger) private readonly log: Logger,
  ) {}

  init(): void {
    this.#unwatch = this.interfaces.watch((name, metadata) => this.#moved(name, metadata));
    for (const metadata of this.interfaces.all()) this.#moved(metadata.name, metadata);
    if (this.config.statistics_interval > 0) {
      this.#interval = setInterval(() => this.#count(), this.config.statistics_interval);
    }
  }

  async close(): Promise<void> {
    this.#unwatch();
    clearInterval(this.#interval);
    for (const reporter of this.#reporters.values()) reporter.close();
    const followers = [...this.#followers.values()];
    this.#followers.clear();
    for (const follower of await Promise.all(followers.map((use) => use.follower))) follower?.close();
  }

  /** An interface came, went, or is somewhere else now. */
  #moved(name: string, metadata: InterfaceMetadata | undefined): void {
    const before = this.#followed.get(name);
    if (before !== undefined && metadata !== undefined && isSame(before.metadata, metadata)) return;
    if (before !== undefined) this.#unfollow(name, before);
    if (metadata === undefined) {
      this.#reporters.get(name)?.gone();
      return;
    }
    const follower = this.#followerOf(metadata);
    this.#followed.set(name, { metadata, follower });
    const reporter = this.#reporterOf(name);
    follower.then((started) => {
      if (this.#followed.get(name)?.metadata === metadata) started?.follow(metadata, reporter);
    }, this.#troubled);
  }

  #unfollow(name: string, { metadata, follower }: Followed): void {
    this.#followed.delete(name);
    const use = this.#followers.get(metadata.namespaceIdentity);
    if (use !== undefined) use.count -= 1;
    const isLast = use?.count === 0;
    if (isLast) this.#followers.delete(metadata.namespaceIdentity);
    follower.then((started) => {
      started?.unfollow(metadata.index);
      if (isLast) started?.close();
    }, this.#troubled);
  }

  #followerOf(metadata: InterfaceMetadata): Follower {
    const known = this.#followers.get(metadata.namespaceIdentity);
    const use = known ?? { follower: this.#startFollower(metadata), count: 0 };
    use.count += 1;
    this.#followers.set(metadata.namespaceIdentity, use);
    return use.follower;
  }

  async #startFollower({ namespace, name }: InterfaceMetadata): Follower {
    try {
      const lease = await this.namespaces.acquire(namespace, interfaceKey(name));
      const follower = new NamespaceFollower(lease, this.#troubled);
      await follower.start();
      return follower;
    } catch (error) {
      this.#troubled(error);
      return undefined;
    }
  }

  #reporterOf(name: string): InterfaceReporter {
    const known = this.#reporters.get(name);
    if (known !== undefined) return known;
    const reporter = new InterfaceReporter(this.config.min_interval, (data) => {
      this.events.publish({ kind: "interface", name, deleted: data.state?.oper_status === "DELETED", data });
    });
    this.#reporters.set(name, reporter);
    return reporter;
  }

  #count(): void {
    for (const { follower } of this.#followers.values()) {
      follower.then((started) => started?.read(true)).then(() => this.health.ok(), this.#troubled);
    }
  }

  readonly #troubled = (error: unknown): void => {
    this.log.warn({ error: errorMessage(error) }, "interface state cannot be read");
    this.health.degraded(`interface state cannot be read: ${errorMessage(error)}`);
  };
}

function isSame(a: InterfaceMetadata, b: InterfaceMetadata): boolean {
  return (
    a.namespaceIdentity === b.namespaceIdentity && a.index === b.index && a.hostName === b.hostName && a.type === b.type
  );
}
