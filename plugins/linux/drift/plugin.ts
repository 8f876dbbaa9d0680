import { z } from "zod";
import { errorMessage } from "#core/errors.js";
import { PluginHealthReporter } from "#core/health/types.js";
import { Logger } from "#core/logging/types.js";
import { EventPublisher } from "#core/northbound/index.js";
import { inject, type Plugin, PluginConfig, plugin } from "#core/plugin/index.js";
import type { TransactionRecord } from "#core/scheduler/api/scheduler.js";
import { Scheduler } from "#core/scheduler/api/token.js";
import type { NetlinkEvent } from "#plugins/netlink/index.js";
import {
  ARP_PREFIX,
  FORWARDING_PREFIX,
  forwardingPrefix,
  INTERFACE_PREFIX,
  interfaceKey,
  type NetNamespace,
  ROUTE_PREFIX,
  RULE_PREFIX,
} from "#proto/index.js";
import { InterfaceIndex, type InterfaceMetadata } from "../interfaces/index.js";
import { Namespaces } from "../namespaces/index.js";
import { DesiredForwarding } from "./desired-forwarding.js";
import { DesiredRoutes } from "./desired-routes.js";
import { DriftDetector } from "./detector.js";
import { FollowedNamespace, type OptionalGroup } from "./followed-namespace.js";
import { DriftReporter } from "./reporter.js";

/** The scheduler waits 1, 2, 4 … seconds before repairs of the same value: more do not fit in a minute. */
const MOST_REPAIRS_A_MINUTE = 7;

export const driftConfig = z.strictObject({
  policy: z
    .enum(["enforce", "report", "ignore"])
    .optional()
    .describe(
      "what to do about values that somebody else changed or removed: repair them, only tell, or nothing; left out: what " +
        "scheduler.drift says",
    ),
  fight_threshold: z
    .int()
    .min(1)
    .max(MOST_REPAIRS_A_MINUTE - 1)
    .default(5)
    .describe("a value that drifts more often than this in a minute is reported as fought over"),
});

export type DriftConfig = z.infer<typeof driftConfig>;

/** A rule or route, as far as it says where it is. */
interface Unplaced {
  readonly type?: string;
  readonly namespace?: NetNamespace;
}

/** The end of the key of a route without interface. */
const NO_NEXTHOP = /\/(?:blackhole|unreachable|prohibit)(?:;[^/].*)?$/;

/** A rule, or a route whose key has no interface: a hundred thousand others need no look. */
function mayHaveNoInterface(key: string): boolean {
  if (!key.startsWith(ROUTE_PREFIX)) return key.startsWith(RULE_PREFIX);
  return NO_NEXTHOP.test(key);
}

/** Changes that come together are looked at together: ms after the first. */
const GATHER = 10;
/** While changes go on, from one look to the next, ms: a look takes time from those who tell the world of the changes. */
const PAUSE = 100;

/** Events that are kept until the next turn of the event loop at most. */
const MOST_KEPT = 16;

/** Groups of events that are followed only while there are desired values of that kind. */
const GROUP_PREFIXES: readonly (readonly [OptionalGroup, prefix: string])[] = [
  ["route", ROUTE_PREFIX],
  ["neighbour", ARP_PREFIX],
  ["neighbour", FORWARDING_PREFIX],
  ["rule", RULE_PREFIX],
];

/**
 * Notices that somebody else changed what the agent configured. It follows the kernel's events of every namespace in use; those
 * that may contradict what is desired make the scheduler read these values again, which then tells, and repairs, what differs.
 * The scheduler reads only when no transaction is under way, so that the agent's own changes are never taken for drift.
 */
@plugin({
  name: "linux-drift",
  description: "Notices what others change of the configured network, reports it and has it repaired.",
  config: driftConfig,
})
export class DriftPlugin implements Plugin {
  /** By identity of the namespace. */
  private readonly followed = new Map<string, Promise<FollowedNamespace | undefined>>();
  /** Identity of the namespace that each interface, and each value without interface, was last followed in. */
  private readonly places = new Map<string, string>();
  private readonly routes: DesiredRoutes;
  private readonly forwarding: DesiredForwarding;
  private readonly groups = new Set<OptionalGroup>();
  private readonly suspected = new Set<string>();
  /** Events of this turn of the event loop. */
  private readonly heard: { readonly event: NetlinkEvent; readonly suspects: DriftDetector }[] = [];
  private readonly undo: (() => void)[] = [];
  private gathering: NodeJS.Timeout | undefined;
  private checking = false;
  /** When the last look ended: ms of a clock that does not jump. */
  private checkedAt = Number.NEGATIVE_INFINITY;
  private closed = false;

  constructor(
    @inject(Scheduler) private readonly scheduler: Scheduler,
    @inject(InterfaceIndex) private readonly interfaces: InterfaceIndex,
    @inject(Namespaces) private readonly namespaces: Namespaces,
    @inject(EventPublisher) private readonly events: EventPublisher,
    @inject(PluginConfig) private readonly config: DriftConfig,
    @inject(PluginHealthReporter) private readonly health: PluginHealthReporter,
    @inject(Logger) private readonly log: Logger,
  ) {
    this.routes = new DesiredRoutes(scheduler);
    this.forwarding = new DesiredForwarding(scheduler);
  }

  init(): void {
    const reporter = new DriftReporter(this.events, this.log, this.config.fight_threshold);
    this.undo.push(this.scheduler.watchDrift((drifts) => reporter.tell(drifts)));
    if (this.config.policy === "ignore") return;
    this.undo.push(
      this.interfaces.watch((name, metadata) => this.place(interfaceKey(name), metadata)),
      this.scheduler.watchTransactions((record) => this.hearOfTransaction(record)),
    );
  }

  async close(): Promise<void> {
    this.closed = true;
    clearTimeout(this.gathering);
    this.routes.close();
    for (const undo of this.undo.splice(0)) undo();
    const followed = [...this.followed.values()];
    this.followed.clear();
    for (const each of await Promise.all(followed)) each?.close();
  }

  private hearOfTransaction({ values, executed }: TransactionRecord): void {
    for (const [group, prefix] of GROUP_PREFIXES) {
      if (this.groups.has(group)) continue;
      const keys = values.flatMap(({ key }) => (key.startsWith(prefix) ? key : []));
      if (keys.length > 0) this.listen(group, keys);
    }
    for (const { key } of values) {
      if (key.startsWith(ROUTE_PREFIX)) this.routes.look(key);
      else if (key.startsWith(FORWARDING_PREFIX)) this.forwarding.look(key);
      if (mayHaveNoInterface(key)) this.placeWithoutInterface(key);
    }
    for (const { key } of executed) if (mayHaveNoInterface(key)) this.placeWithoutInterface(key);
  }

  /** Rules, and routes without a next hop, may be in a namespace without any interface of ours. */
  private placeWithoutInterface(key: string): void {
    const desired: Unplaced | undefined = this.scheduler.desired(key);
    if (key.startsWith(ROUTE_PREFIX) && (desired?.type ?? "UNICAST") === "UNICAST" && !this.places.has(key)) return;
    if (desired === undefined || this.scheduler.status(key).state !== "CONFIGURED") {
      this.place(key, undefined);
      return;
    }
    this.namespaces
      .open(desired.namespace)
      .then((handle) => {
        handle.close();
        if (this.scheduler.desired(key) !== desired) return;
        const { namespace } = desired;
        this.place(key, { ...(namespace === undefined ? {} : { namespace }), namespaceIdentity: handle.identity });
      })
      .catch(this.troubled);
  }

  /** What is under `key` is in that namespace now, or nowhere. */
  private place(key: string, place: Pick<InterfaceMetadata, "namespace" | "namespaceIdentity"> | undefined): void {
    const before = this.places.get(key);
    if (before === place?.namespaceIdentity || this.closed) return;
    if (before !== undefined) this.leave(key, before);
    if (place === undefined) return;
    const { namespaceIdentity: identity, namespace } = place;
    this.places.set(key, identity);
    const known = this.followed.get(identity);
    const followed = known ?? this.follow(identity, namespace);
    if (known === undefined) this.followed.set(identity, followed);
    followed.then((namespaceFollowed) => namespaceFollowed?.uses.add(key), this.troubled);
  }

  private leave(key: string, identity: string): void {
    this.places.delete(key);
    const followed = this.followed.get(identity);
    followed?.then((namespace) => {
      namespace?.uses.delete(key);
      if (namespace === undefined || namespace.uses.size > 0 || this.followed.get(identity) !== followed) return;
      this.followed.delete(identity);
      namespace.close();
    }, this.troubled);
  }

  /** What happens before the kernel's events arrive is found by looking at everything once. */
  private async follow(identity: string, namespace: NetNamespace | undefined): Promise<FollowedNamespace | undefined> {
    try {
      const handle = await this.namespaces.open(namespace);
      const { scheduler, interfaces } = this;
      const suspects = new DriftDetector({
        scheduler,
        interfaces,
        routes: this.routes,
        forwarding: this.forwarding,
        identity,
      });
      const followed = new FollowedNamespace(handle, (event) => this.hear(event, followed, suspects));
      await followed.listen(this.groups);
      const keys = [...this.places].flatMap(([key, place]) => (place === identity ? [key] : []));
      const names = new Set(
        keys.flatMap((key) => (key.startsWith(INTERFACE_PREFIX) ? key.slice(INTERFACE_PREFIX.length) : [])),
      );
      const entries = [...names].flatMap((name) =>
        [`${ARP_PREFIX}${name}/`, forwardingPrefix(name)].flatMap((prefix) => scheduler.statuses(prefix)),
      );
      this.suspect([...keys, ...this.routes.throughAny(names), ...entries.map(({ key }) => key)]);
      return followed;
    } catch (error) {
      this.troubled(error);
      return undefined;
    }
  }

  /** Follows one more kind of event everywhere, and looks at the values that made it worth while: something may have happened. */
  private listen(group: OptionalGroup, keys: readonly string[]): void {
    this.groups.add(group);
    const listening = [...this.followed.values()].map(async (followed) => (await followed)?.listen(this.groups));
    Promise.all(listening).then(() => this.suspect(keys), this.troubled);
  }

  private hear(event: NetlinkEvent, { uses }: FollowedNamespace, suspects: DriftDetector): void {
    if (event.type !== "lost") {
      // Whoever tells the world of the event comes first: what is suspected is looked at later anyway.
      if (this.heard.length === 0) setImmediate(() => this.sift());
      // In a flood there is no first any more, and what is kept costs memory.
      if (this.heard.push({ event, suspects }) >= MOST_KEPT) this.sift();
      return;
    }
    this.log.warn("the kernel dropped events; everything they may have been about is read again");
    const { scheduler } = this;
    this.suspect([...uses, ...this.routes.all()]);
    for (const prefix of [ARP_PREFIX, FORWARDING_PREFIX, RULE_PREFIX])
      this.suspect(scheduler.statuses(prefix).map(({ key }) => key));
  }

  private sift(): void {
    this.suspect(this.heard.splice(0).flatMap(({ event, suspects }) => suspects.named(event)));
  }

  private suspect(keys: Iterable<string>): void {
    for (const key of keys) this.suspected.add(key);
    if (this.suspected.size === 0 || this.checking || this.closed) return;
    if (this.gathering !== undefined) return;
    const paused = performance.now() - this.checkedAt;
    this.gathering = setTimeout(
      () => {
        this.gathering = undefined;
        this.check().catch(this.troubled);
      },
      Math.max(GATHER, PAUSE - paused),
    );
  }

  private async check(): Promise<void> {
    const keys = [...this.suspected];
    this.suspected.clear();
    this.checking = true;
    try {
      await this.scheduler.refresh(keys, "changed from the southbound", this.config.policy);
      this.health.ok();
    } finally {
      this.checking = false;
      this.checkedAt = performance.now();
      this.suspect([]);
    }
  }

  private readonly troubled = (error: unknown): void => {
    if (this.closed) return;
    this.log.warn({ error: errorMessage(error) }, "drift cannot be watched");
    this.health.degraded(`drift cannot be watched: ${errorMessage(error)}`);
  };
}
