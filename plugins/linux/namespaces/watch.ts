import type { Dependency, RetrievedValue, Scheduler } from "#core/scheduler/api/scheduler.js";
import type { NamespaceHandle, NamespaceRef, Netlink } from "#plugins/netlink/index.js";
import type { NetNamespace } from "#proto/index.js";
import { seemsThere } from "./local-path.js";
import { isCode } from "./managed-namespaces.js";
import { isProcess } from "./process.js";
import { namespaceKey, namespaceKind, namespaceLabel, namespaceText, OWN_NAMESPACE_KEY } from "./reference.js";

/** What opening the namespace of a process or file says that is gone. A process that has ended, but was not waited for, has none. */
const GONE = ["ENOENT", "ESRCH", "ENODEV", "EINVAL"] as const;

interface Leases {
  count: number;
  readonly handle: NamespaceHandle;
}

/** A reference that values use, or wait for. */
export interface Watched {
  readonly namespace: NetNamespace;
  /** Desired values in it. */
  readonly desiredBy: Set<string>;
  /** By the identity of the namespace that the reference led to when they were made. */
  readonly leases: Map<string, Leases>;
  /** Nothing can be made there: it is gone, or what was made in the namespace it led to before is still being removed. */
  away: boolean;
  /** Its key is known to the scheduler. */
  announced: boolean;
  /** The agent made the namespace: it is made again when somebody else removes it. */
  ours: boolean;
  /** Start time of the process that a `PID` refers to, once it was found: another process that gets its id is not meant. */
  startTime: string | undefined;
}

export interface NamespaceWatchOptions {
  readonly netlink: Pick<Netlink, "open">;
  readonly scheduler: Pick<Scheduler, "notify">;
  /** How the netlink client finds the namespace; `undefined` for a microservice that does not run. */
  readonly locate: (namespace: NetNamespace | undefined) => NamespaceRef | undefined;
}

/**
 * Whether the namespaces that values refer to are there. Values in a namespace depend on it; when it goes, they are taken away
 * (their links are still within reach: a namespace lives for as long as a socket in it does) and are pending until the
 * reference leads to a namespace again.
 *
 * A reference counts as there until somebody has seen it go, since a named namespace that is missing is made, and a process is not
 * known before a value names it: {@link dependencies} rests on the key of the agent's own namespace, which is always there,
 * for as long as nothing is known to be wrong with the reference, and on the reference's own key after that.
 */
export class NamespaceWatch {
  private readonly options: NamespaceWatchOptions;
  /** By `namespaceText`. */
  private readonly watched = new Map<string, Watched>();

  constructor(options: NamespaceWatchOptions) {
    this.options = options;
  }

  dependencies(namespace: NetNamespace | undefined): readonly Dependency[] {
    const own = namespaceKey(namespace);
    if (namespace === undefined || own === undefined) return [];
    const matches = (key: string) => key === own || (key === OWN_NAMESPACE_KEY && this.seemsThere(namespace));
    return [{ label: namespaceLabel(namespace), anyOf: { prefixes: [own, OWN_NAMESPACE_KEY], matches } }];
  }

  /** The keys that values can depend on now. */
  announced(): readonly RetrievedValue[] {
    const keys = [...this.watched.values()].flatMap(({ announced, namespace }) =>
      announced ? (namespaceKey(namespace) ?? []) : [],
    );
    return [OWN_NAMESPACE_KEY, ...keys].map((key) => ({ key, value: {}, origin: "southbound" }));
  }

  /** Desired values that are in that named namespace, or wait for it? */
  isDesired(name: string): boolean {
    return (this.watched.get(namespaceText({ type: "NSID", reference: name }))?.desiredBy.size ?? 0) > 0;
  }

  /** The value under `key` wants to be in `namespace` from now on, and not in `before`. */
  wants(key: string, namespace: NetNamespace | undefined, before: NetNamespace | undefined): void {
    if (before !== undefined && namespaceText(before) !== namespaceText(namespace)) {
      const watched = this.watched.get(namespaceText(before));
      watched?.desiredBy.delete(key);
      this.forgetUnused(namespaceText(before));
    }
    if (namespace === undefined || namespaceKey(namespace) === undefined) return;
    this.entry(namespace).desiredBy.add(key);
  }

  /** A lease was made; `ours`: of a namespace that the agent made. Returns what to call when it is released. */
  leased(namespace: NetNamespace, handle: NamespaceHandle, ours: boolean): () => void {
    const watched = this.entry(namespace);
    watched.ours = ours;
    if (namespaceKind(namespace) === "PID" && handle.ref.kind === "pid") watched.startTime = handle.ref.startTime;
    const leases = watched.leases.get(handle.identity) ?? { count: 0, handle };
    watched.leases.set(handle.identity, leases);
    leases.count += 1;
    return () => {
      leases.count -= 1;
      if (leases.count === 0) watched.leases.delete(handle.identity);
      this.forgetUnused(namespaceText(namespace));
    };
  }

  /** A way to the namespace that the reference led to, and in which values still are. */
  lastPlace(namespace: NetNamespace | undefined): NamespaceRef | undefined {
    const [leases] = this.watched.get(namespaceText(namespace))?.leases.values() ?? [];
    return leases === undefined ? undefined : { kind: "path", path: `/proc/self/fd/${leases.handle.fd}` };
  }

  /** Looks where references lead now: all, or only those that `selects` says. */
  async check(selects: (watched: Watched) => boolean = () => true): Promise<void> {
    await Promise.all([...this.watched.values()].filter(selects).map((watched) => this.checkNow(watched)));
  }

  private async checkNow(watched: Watched): Promise<void> {
    if (watched.leases.size === 0) {
      const isThere = await this.isThere(watched);
      // The first value has come meanwhile (or below, the last one gone): what has been read answers another question.
      if (watched.leases.size > 0) return this.checkNow(watched);
      if (isThere) this.arrive(watched);
      else if (watched.announced) this.depart(watched);
      else if (!isNamed(watched.namespace)) watched.away = true;
      return;
    }
    const identity = await this.identify(watched.namespace);
    if (watched.leases.size === 0) return this.checkNow(watched);
    const moved = [...watched.leases.keys()].some((leased) => leased !== identity);
    if (!moved && watched.away) this.arrive(watched);
    else if (moved && !watched.away) this.depart(watched);
  }

  private depart(watched: Watched): void {
    watched.away = true;
    watched.announced = false;
    this.notify(watched.namespace, undefined);
  }

  private arrive(watched: Watched): void {
    watched.away = false;
    if (watched.announced || this.watched.get(namespaceText(watched.namespace)) !== watched) return;
    watched.announced = true;
    this.notify(watched.namespace, {});
  }

  private notify(namespace: NetNamespace, value: object | undefined): void {
    const key = namespaceKey(namespace);
    if (key !== undefined) this.options.scheduler.notify([{ key, value }]);
  }

  private seemsThere(namespace: NetNamespace): boolean {
    return !this.watched.get(namespaceText(namespace))?.away && this.exists(namespace);
  }

  private async isThere({ namespace, away, ours }: Watched): Promise<boolean> {
    if (!isNamed(namespace)) return this.exists(namespace);
    return (away && ours) || (await this.identify(namespace)) !== undefined;
  }

  /** Does the reference lead anywhere? Of named namespaces, which are made when they are missing, always true. */
  private exists(namespace: NetNamespace): boolean {
    const ref = this.located(namespace);
    switch (ref?.kind) {
      case undefined:
        return false;
      case "pid":
        return isProcess(ref);
      case "path":
        return seemsThere(ref.path);
      default:
        return true;
    }
  }

  /** How to find it; a process that was found before is meant, and no other that has its id now. */
  located(namespace: NetNamespace | undefined): NamespaceRef | undefined {
    const ref = this.options.locate(namespace);
    const startTime = this.watched.get(namespaceText(namespace))?.startTime;
    return ref?.kind === "pid" && startTime !== undefined ? { ...ref, startTime } : ref;
  }

  private async identify(namespace: NetNamespace): Promise<string | undefined> {
    const ref = this.located(namespace);
    if (ref === undefined) return undefined;
    try {
      const handle = await this.options.netlink.open(ref);
      handle.close();
      return handle.identity;
    } catch (error) {
      if (isCode(error, ...GONE)) return undefined;
      throw error;
    }
  }

  private entry(namespace: NetNamespace): Watched {
    const text = namespaceText(namespace);
    const known = this.watched.get(text);
    if (known !== undefined) return known;
    const watched: Watched = {
      namespace,
      desiredBy: new Set(),
      leases: new Map(),
      away: false,
      announced: false,
      ours: false,
      startTime: undefined,
    };
    this.watched.set(text, watched);
    return watched;
  }

  private forgetUnused(text: string): void {
    const watched = this.watched.get(text);
    if (watched === undefined || watched.desiredBy.size > 0 || watched.leases.size > 0) return;
    this.watched.delete(text);
    if (watched.announced) this.notify(watched.namespace, undefined);
  }
}

function isNamed(namespace: NetNamespace): boolean {
  return namespaceKind(namespace) === "NSID";
}

/** References whose coming is told by nobody, or whose values wait to be brought back. */
export function isUnsettled({ namespace, away, leases }: Watched): boolean {
  return away || (leases.size === 0 && !isNamed(namespace));
}

/** @param reference name, process id … as in `NetNamespace.reference`. */
export function isReference(kind: NonNullable<NetNamespace["type"]>, reference: string) {
  return ({ namespace }: Watched) => namespaceKind(namespace) === kind && namespace.reference === reference;
}
