import { z } from "zod";
import { duration } from "#core/config/duration.js";
import { errorMessage } from "#core/errors.js";
import { PluginHealthReporter } from "#core/health/types.js";
import { Logger } from "#core/logging/types.js";
import { EventPublisher, RequestGroup } from "#core/northbound/index.js";
import { inject, injectOptional, type Plugin, PluginConfig, plugin, provide } from "#core/plugin/index.js";
import { Scheduler } from "#core/scheduler/api/token.js";
import { InterfaceIndex, type InterfaceMetadata, Namespaces } from "#plugins/linux/index.js";
import type { Link } from "#plugins/netlink/index.js";
import { Store } from "#plugins/store/index.js";
import type { InterfaceNotificationNotifType, InterfaceState, NetNamespace } from "#proto/index.js";
import { interfaceKey } from "#proto/index.js";
import type { Subject } from "./followed-interface.js";
import { NamespaceFollower } from "./namespace-follower.js";
import { PublishedNames } from "./published-names.js";
import { InterfaceReporter, nowSeconds } from "./reporter.js";
import { InterfaceRequests } from "./requests.js";

export const interfaceStateConfig = z.strictObject({
  interfaces: z
    .enum(["managed", "all"])
    .default("managed")
    .describe(
      "Whose state is published: managed: configured interfaces; all: also every other one of the agent's own network " +
        "namespace and of namespaces with configured interfaces",
    ),
  statistics_interval: duration.prefault("10s").describe("How often counters are published; 0 for never"),
  statistics_delta_only: z
    .boolean()
    .default(false)
    .describe("On the interval, leave out interfaces whose counters have not moved since they were last published"),
  min_interval: duration
    .prefault("100ms")
    .describe("Changes of one interface that come faster than this are folded into one notification"),
  max_interval: duration
    .prefault("1s")
    .describe("The same for an interface that goes on flapping: the interval doubles up to this"),
});

export type InterfaceStateConfig = z.infer<typeof interfaceStateConfig>;

type Follower = Promise<NamespaceFollower | undefined>;

interface Followed {
  readonly metadata: InterfaceMetadata;
  readonly follower: Follower;
}

interface NamespaceUse {
  readonly follower: Follower;
  /** Who needs it: interfaces followed there, and one for the agent's own namespace when all are followed. */
  count: number;
}

/**
 * Publishes the state of every configured interface, or of all: when the kernel says that it changed, its counters on an interval,
 * and that it is gone.
 */
@plugin({
  name: "interface-state",
  description: "State and counters of interfaces, published on change and on an interval.",
  config: interfaceStateConfig,
  provides: [provide(RequestGroup, (state: InterfaceStatePlugin) => state.requests)],
})
export class InterfaceStatePlugin implements Plugin {
  readonly requests: InterfaceRequests;
  /** Of the interfaces that are there, by name. */
  private readonly reporters = new Map<string, InterfaceReporter>();
  private readonly followed = new Map<string, Followed>();
  /** Interfaces that nobody configured, by the name they are published under. */
  private readonly unmanaged = new Map<string, Followed>();
  /** By identity of the namespace. */
  private readonly followers = new Map<string, NamespaceUse>();
  private readonly toldNames: PublishedNames;
  private toldEarlier: readonly string[] = [];
  private readonly undo: (() => void)[] = [];
  private interval: NodeJS.Timeout | undefined;
  private sequence = 0;
  /** The first transaction has ended: what was there before can be known. */
  private begun = false;
  /** What was there before has been told. */
  private caughtUp = false;
  private closed = false;

  constructor(
    @inject(InterfaceIndex) private readonly interfaces: InterfaceIndex,
    @inject(Namespaces) private readonly namespaces: Namespaces,
    @inject(Scheduler) private readonly scheduler: Scheduler,
    @inject(EventPublisher) private readonly events: EventPublisher,
    @injectOptional(Store) store: Store | undefined,
    @inject(PluginConfig) private readonly config: InterfaceStateConfig,
    @inject(PluginHealthReporter) private readonly health: PluginHealthReporter,
    @inject(Logger) private readonly log: Logger,
  ) {
    this.requests = new InterfaceRequests(events, (name) => this.republish(name));
    this.toldNames = new PublishedNames(store, (error) =>
      log.warn({ error: errorMessage(error) }, "the names of published interfaces could not be written"),
    );
  }

  init(): void {
    this.toldEarlier = this.toldNames.load();
    this.undo.push(
      this.interfaces.watch((name, metadata) => this.moved(name, metadata)),
      this.scheduler.watchTransactions(({ kind }) => {
        if (!this.begun && kind !== "notification") this.begin().catch(this.troubled);
      }),
    );
    for (const metadata of this.interfaces.all()) this.moved(metadata.name, metadata);
    if (this.config.statistics_interval > 0) {
      this.interval = setInterval(() => this.count(), this.config.statistics_interval);
    }
  }

  async close(): Promise<void> {
    this.closed = true;
    for (const undo of this.undo.splice(0)) undo();
    clearInterval(this.interval);
    for (const reporter of this.reporters.values()) reporter.close();
    const followers = [...this.followers.values()];
    this.followers.clear();
    for (const follower of await Promise.all(followers.map((use) => use.follower))) follower?.close();
    await this.toldNames.close();
  }

  /** What is configured is there, as far as it can be. What else there is, and what has gone since an earlier run, is told now. */
  private async begin(): Promise<void> {
    this.begun = true;
    if (this.config.interfaces === "all") await this.discoverUnmanaged();
    await Promise.all([...this.followers.values()].map((use) => use.follower));
    if (this.closed) return;
    this.caughtUp = true;
    for (const name of this.toldEarlier) {
      if (this.followed.has(name) || this.unmanaged.has(name) || this.interfaces.get(name) !== undefined) continue;
      const last_change = String(nowSeconds());
      this.publish("UPDOWN", { name, admin_status: "DELETED", oper_status: "DELETED", last_change });
    }
  }

  private async discoverUnmanaged(): Promise<void> {
    const own = await this.namespaces.open(undefined);
    const { identity } = own;
    own.close();
    if (this.closed) return;
    void this.useFollower(undefined, identity, "interface-state");
    for (const { follower } of [...this.followers.values()]) await (await follower)?.discoverUnmanaged();
  }

  /** An interface came, went, or is another one now. */
  private moved(name: string, metadata: InterfaceMetadata | undefined): void {
    const before = this.followed.get(name);
    if (before !== undefined && metadata !== undefined && isSame(before.metadata, metadata)) return;
    if (before !== undefined) this.unfollow(name, before);
    const unmanaged = metadata === undefined ? undefined : this.unmanaged.get(name);
    const last = before ?? unmanaged;
    const isOther = metadata === undefined || (last !== undefined && !isSamePlace(last.metadata, metadata));
    if (isOther && before !== undefined) this.reporters.get(name)?.gone();
    if (metadata === undefined) {
      this.reporters.delete(name);
      return;
    }
    if (unmanaged !== undefined) this.giveUp(name, unmanaged, isOther);
    const follower = this.useFollower(metadata.namespace, metadata.namespaceIdentity, interfaceKey(name));
    this.followed.set(name, { metadata, follower });
    const reporter = this.reporterOf(name);
    follower.then((started) => {
      const isCurrent = this.followed.get(name)?.metadata === metadata;
      if (isCurrent) started?.follow({ metadata, reporter, isUnmanaged: false });
    }, this.troubled);
  }

  private unfollow(name: string, { metadata, follower }: Followed): void {
    this.followed.delete(name);
    const use = this.followers.get(metadata.namespaceIdentity);
    if (use !== undefined) use.count -= 1;
    const isLast = use?.count === 0;
    if (isLast) this.followers.delete(metadata.namespaceIdentity);
    follower.then((started) => {
      started?.unfollow(metadata.index);
      if (isLast) started?.abandon();
    }, this.troubled);
  }

  /** A configured interface has the name of one that nobody configured. It may be the same one. */
  private giveUp(name: string, { metadata, follower }: Followed, isOther: boolean): void {
    this.unmanaged.delete(name);
    if (!isOther) return;
    this.reporters.get(name)?.gone();
    follower.then((started) => started?.unfollow(metadata.index), this.troubled);
  }

  private useFollower(namespace: NetNamespace | undefined, identity: string, key: string): Follower {
    const known = this.followers.get(identity);
    const use = known ?? { follower: this.startFollower(namespace, identity, key), count: 0 };
    use.count += 1;
    this.followers.set(identity, use);
    return use.follower;
  }

  private async startFollower(namespace: NetNamespace | undefined, namespaceIdentity: string, key: string): Follower {
    const unmanaged = (link: Link): Subject | undefined => {
      const follower = this.followers.get(namespaceIdentity)?.follower;
      return follower && this.meet(link, namespace, namespaceIdentity, follower);
    };
    try {
      const lease = await this.namespaces.acquire(namespace, key);
      const follower = new NamespaceFollower({
        lease,
        unmanaged: this.config.interfaces === "all" ? unmanaged : undefined,
        left: ({ metadata: { name }, isUnmanaged }) => {
          if (!isUnmanaged) return;
          this.unmanaged.delete(name);
          this.reporters.delete(name);
        },
        onTrouble: this.troubled,
      });
      await follower.start();
      return follower;
    } catch (error) {
      this.troubled(error);
      return undefined;
    }
  }

  /** Nothing while its name is another interface's. */
  private meet(
    link: Link,
    namespace: NetNamespace | undefined,
    namespaceIdentity: string,
    follower: Follower,
  ): Subject | undefined {
    const { index, name: hostName } = link;
    const name = namespace?.reference === undefined ? hostName : `${namespace.reference}/${hostName}`;
    const isTaken = this.followed.has(name) || this.unmanaged.has(name);
    const isConfigured = this.interfaces.byIndex(namespaceIdentity, index) !== undefined;
    if (!this.begun || this.closed || isTaken || isConfigured) return undefined;
    const place = { index, namespaceIdentity, ...(namespace === undefined ? {} : { namespace }) };
    const metadata: InterfaceMetadata = { name, type: "EXISTING", hostName, ours: false, ...place };
    this.unmanaged.set(name, { metadata, follower });
    return { metadata, reporter: this.reporterOf(name), isUnmanaged: true };
  }

  private reporterOf(name: string): InterfaceReporter {
    const known = this.reporters.get(name);
    if (known !== undefined) return known;
    const reporter = new InterfaceReporter({
      minInterval: this.config.min_interval,
      maxInterval: this.config.max_interval,
      deltaOnly: this.config.statistics_delta_only,
      publish: (type, state) => this.publish(type, state),
    });
    if (!this.caughtUp) reporter.first = "SNAPSHOT";
    this.reporters.set(name, reporter);
    return reporter;
  }

  private publish(type: InterfaceNotificationNotifType, state: InterfaceState & { readonly name?: string }): void {
    const { name = "" } = state;
    const deleted = state.oper_status === "DELETED";
    this.sequence += 1;
    const data = { type, state: { ...state, sequence: String(this.sequence) } };
    this.events.publish({ kind: "interface", name, deleted, data });
    if (deleted) this.toldNames.gone(name);
    else this.toldNames.told(name);
  }

  private republish(name: string | undefined): number {
    const all = name === undefined ? [...this.reporters.values()] : [this.reporters.get(name)];
    return all.filter((reporter) => reporter?.republish()).length;
  }

  private count(): void {
    for (const { follower } of this.followers.values()) {
      follower.then((started) => started?.read(true)).then(() => this.health.ok(), this.troubled);
    }
  }

  private readonly troubled = (error: unknown): void => {
    if (this.closed) return;
    this.log.warn({ error: errorMessage(error) }, "interface state cannot be read");
    this.health.degraded(`interface state cannot be read: ${errorMessage(error)}`);
  };
}

function isSame(a: InterfaceMetadata, b: InterfaceMetadata): boolean {
  return isSamePlace(a, b) && a.hostName === b.hostName && a.type === b.type;
}

/** Of two metadata of one name: is it the same link? */
function isSamePlace(a: InterfaceMetadata, b: InterfaceMetadata): boolean {
  return a.namespaceIdentity === b.namespaceIdentity && a.index === b.index;
}
