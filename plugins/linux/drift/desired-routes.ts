import type { Scheduler } from "#core/scheduler/api/scheduler.js";
import { canonicalAddress, parseRouteKey, ROUTE_PREFIX, type Route } from "#proto/index.js";

/** More keys than this are not put off, */
const MANY_NEWS = 50_000;
/** but sorted in by and by, so many in one turn of the event loop. */
const SORTED_AT_ONCE = 1_000;

/**
 * Keys of desired routes by their destination, since a kernel event about a route does not say which of ours it replaces. Most hosts
 * never see such an event, so that what changes is sorted in when somebody asks.
 */
export class DesiredRoutes {
  /** One key, or several for routes by different interfaces. */
  private readonly keys = new Map<string, string | ReadonlySet<string>>();
  /** Interfaces that one of them leads, or once led, through. */
  private readonly interfaces = new Set<string>();
  /** By the preferred source that they name, or once named. */
  private readonly sources = new Map<string, Set<string>>();
  /** Keys to sort in, in their order; those before `#next` are. */
  private news: string[] = [];
  private next = 0;
  private sorting: NodeJS.Immediate | undefined;

  constructor(private readonly scheduler: Pick<Scheduler, "desired">) {}

  /** The value under that key may have come to be desired, or not to be any more. */
  look(key: string): void {
    this.news.push(key);
    if (this.news.length > MANY_NEWS) this.sorting ??= setImmediate(() => this.sortSome());
  }

  close(): void {
    clearImmediate(this.sorting);
  }

  private sortSome(): void {
    this.sortIn(SORTED_AT_ONCE);
    this.sorting = this.news.length === 0 ? undefined : setImmediate(() => this.sortSome());
  }

  private sortIn(most = Number.POSITIVE_INFINITY): void {
    const end = Math.min(this.news.length, this.next + most);
    for (; this.next < end; this.next++) {
      const key = this.news[this.next] ?? "";
      this.note(key, this.scheduler.desired(key) !== undefined);
    }
    if (end < this.news.length) return;
    this.news = [];
    this.next = 0;
  }

  private note(key: string, isDesired: boolean): void {
    for (const name of this.interfacesOf(key)) this.interfaces.add(name);
    const { preferred_source: source }: Route = this.scheduler.desired(key) ?? {};
    if (source) {
      const address = canonicalAddress(source) ?? source;
      this.sources.set(address, (this.sources.get(address) ?? new Set()).add(key));
    }
    const network = networkIn(key);
    const known = this.keys.get(network);
    // Nearly all networks have one route: no set is made for those.
    if (known === undefined || known === key) {
      if (isDesired) this.keys.set(network, key);
      else this.keys.delete(network);
      return;
    }
    const keys = new Set(typeof known === "string" ? [known] : known);
    if (isDesired) keys.add(key);
    else keys.delete(key);
    const [first] = keys;
    if (first === undefined) this.keys.delete(network);
    else this.keys.set(network, keys.size === 1 ? first : keys);
  }

  /** Keys of the routes that are desired to a network, written canonically. */
  to(network: string): readonly string[] {
    this.sortIn();
    const known = this.keys.get(network);
    if (known === undefined) return [];
    return (typeof known === "string" ? [known] : [...known]).filter(
      (key) => this.scheduler.desired(key) !== undefined,
    );
  }

  /** Keys of the routes that are desired with that preferred source. */
  from(address: string): readonly string[] {
    this.sortIn();
    const keys = [...(this.sources.get(address) ?? [])].filter((key) => this.names(key, address));
    if (keys.length === 0) this.sources.delete(address);
    return keys;
  }

  private names(key: string, address: string): boolean {
    const { preferred_source: source = "" }: Route = this.scheduler.desired(key) ?? {};
    return (canonicalAddress(source) ?? source) === address;
  }

  /** Keys of the routes that are desired through an interface. For most interfaces there are none, and that is known at once. */
  through(name: string): readonly string[] {
    this.sortIn();
    return this.throughAny(new Set([name]));
  }

  /** Keys of the routes that are desired through one of several interfaces. */
  throughAny(names: ReadonlySet<string>): readonly string[] {
    this.sortIn();
    if (![...names].some((name) => this.interfaces.has(name))) return [];
    return [...this.all()].filter(
      (key) => this.scheduler.desired(key) !== undefined && this.interfacesOf(key).some((name) => names.has(name)),
    );
  }

  /** Those of all hops. Nearly every key says it. */
  private interfacesOf(key: string): readonly string[] {
    const name = parseRouteKey(key)?.outgoingInterface ?? "";
    const desired: Route | undefined = name === "multipath" ? this.scheduler.desired(key) : undefined;
    return desired?.next_hops?.map((hop) => hop.outgoing_interface ?? "") ?? [name];
  }

  *all(): IterableIterator<string> {
    this.sortIn();
    for (const keys of this.keys.values()) {
      if (typeof keys === "string") yield keys;
      else yield* keys;
    }
  }
}

/** The network in the key of a route: address and length are its first two parts. */
function networkIn(key: string): string {
  const length = key.indexOf("/", ROUTE_PREFIX.length) + 1;
  return key.slice(ROUTE_PREFIX.length, key.indexOf("/", length));
}
