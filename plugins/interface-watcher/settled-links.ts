import type { Link } from "#plugins/netlink/index.js";

/** What others are told: an interface, or one of its addresses (with prefix length), is there or is gone. */
export interface LinkListener {
  link(hostName: string, present: boolean): void;
  address(hostName: string, address: string, present: boolean): void;
}

interface Watched {
  /** Its name and its alternative names. */
  names: readonly string[];
  usable: boolean;
  /** Names under which it is announced. */
  readonly announced: Set<string>;
  settling: NodeJS.Timeout | undefined;
  readonly addresses: Set<string>;
}

/**
 * The links of one namespace as they are announced to others, each under its name and its alternative names. Unless it is said otherwise,
 * a link counts while its operational state is neither `down` nor `notpresent`. It is announced once it has counted for the settle delay,
 * because programs make a link in several steps; a name that it is given after that, and that it is gone, or down, is told at once. Links are told apart by index, so
 * that a renamed link is one that went and another that came, and a new link never passes for the old one of the same name.
 */
export class SettledLinks {
  private readonly links = new Map<number, Watched>();

  /** @param settleDelay in milliseconds. */
  constructor(
    private readonly settleDelay: number,
    private readonly listener: LinkListener,
    private readonly counts: (link: Link) => boolean = isOperational,
  ) {}

  /** What is announced, with its addresses. */
  *announced(): IterableIterator<{ readonly hostName: string; readonly addresses: ReadonlySet<string> }> {
    for (const { announced, addresses } of this.links.values()) {
      for (const hostName of announced) yield { hostName, addresses };
    }
  }

  get indexes(): readonly number[] {
    return [...this.links.keys()];
  }

  addressesOf(index: number): ReadonlySet<string> {
    return this.links.get(index)?.addresses ?? new Set();
  }

  /** A link is there as described. With `settled` it is not waited for. */
  seen(link: Link, settled = false): void {
    const watched = this.watchedOf(link.index);
    const names = [link.name, ...link.altNames];
    const wasRenamed = watched.names.length > 0 && watched.names[0] !== link.name;
    this.withdraw(watched, wasRenamed ? [...watched.announced] : without(watched.announced, names));
    if (wasRenamed) this.stopSettling(watched);
    watched.names = names;
    watched.usable = this.counts(link);
    if (!watched.usable) {
      this.stopSettling(watched);
      this.withdraw(watched, [...watched.announced]);
    } else if (settled || watched.announced.size > 0) this.announce(watched);
    else if (names.some((name) => !watched.announced.has(name))) {
      watched.settling ??= setTimeout(() => this.announce(watched), this.settleDelay);
    }
  }

  gone(index: number): void {
    const watched = this.links.get(index);
    if (watched === undefined) return;
    this.links.delete(index);
    this.stopSettling(watched);
    this.withdraw(watched, [...watched.announced]);
  }

  addressSeen(index: number, address: string): void {
    const watched = this.links.get(index);
    if (watched === undefined || watched.addresses.has(address)) return;
    watched.addresses.add(address);
    for (const name of watched.announced) this.listener.address(name, address, true);
  }

  addressGone(index: number, address: string): void {
    const watched = this.links.get(index);
    if (!watched?.addresses.delete(address)) return;
    for (const name of watched.announced) this.listener.address(name, address, false);
  }

  close(): void {
    for (const watched of this.links.values()) this.stopSettling(watched);
    this.links.clear();
  }

  private watchedOf(index: number): Watched {
    const known = this.links.get(index);
    if (known !== undefined) return known;
    const watched = {
      names: [],
      usable: false,
      announced: new Set<string>(),
      settling: undefined,
      addresses: new Set<string>(),
    };
    this.links.set(index, watched);
    return watched;
  }

  private announce(watched: Watched): void {
    this.stopSettling(watched);
    if (!watched.usable) return;
    for (const name of watched.names) {
      if (watched.announced.has(name)) continue;
      watched.announced.add(name);
      this.listener.link(name, true);
      for (const address of watched.addresses) this.listener.address(name, address, true);
    }
  }

  private withdraw({ announced, addresses }: Watched, names: readonly string[]): void {
    for (const name of names) {
      announced.delete(name);
      for (const address of addresses) this.listener.address(name, address, false);
      this.listener.link(name, false);
    }
  }

  private stopSettling(watched: Watched): void {
    clearTimeout(watched.settling);
    watched.settling = undefined;
  }
}

function without(names: Iterable<string>, kept: readonly string[]): readonly string[] {
  return [...names].filter((name) => !kept.includes(name));
}

function isOperational({ operState }: Link): boolean {
  return operState !== "down" && operState !== "notpresent";
}
