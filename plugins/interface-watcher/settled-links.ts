import type { Link } from "#plugins/netlink/index.js";

/** What others are told: an interface, or one of its addresses (with prefix length), is there or is gone. */
export interface LinkListener {
  link(hostName: string, present: boolean): void;
  address(hostName: string, address: string, present: boolean): void;
}

interface Watched {
  hostName: string;
  usable: boolean;
  announced: boolean;
  settling: NodeJS.Timeout | undefined;
  readonly addresses: Set<string>;
}

/**
 * The links of one namespace as they are announced to others. Unless it is said otherwise, a link counts while its
 * operational state is neither `down` nor `notpresent`. It is announced once it has counted for the settle delay, because programs make a link in several steps;
 * that it is gone, or down, is told at once. Links are told apart by index, so that a renamed link is one that went and
 * another that came, and a new link never passes for the old one of the same name.
 */
export class SettledLinks {
  readonly #links = new Map<number, Watched>();

  /** @param settleDelay in milliseconds. */
  constructor(
    private readonly settleDelay: number,
    private readonly listener: LinkListener,
    private readonly counts: (link: Link) => boolean = isOperational,
  ) {}

  /** The announced links with their addresses. */
  *announced(): IterableIterator<{ readonly hostName: string; readonly addresses: ReadonlySet<string> }> {
    for (const { hostName, announced, addresses } of this.#links.values()) if (announced) yield { hostName, addresses };
  }

  get indexes(): readonly number[] {
    return [...this.#links.keys()];
  }

  addressesOf(index: number): ReadonlySet<string> {
    return this.#links.get(index)?.addresses ?? new Set();
  }

  /** A link is there as described. With `settled` it is not waited for. */
  seen(link: Link, settled = false): void {
    const { index, name } = link;
    const watched = this.#links.get(index) ?? {
      hostName: name,
      usable: false,
      announced: false,
      settling: undefined,
      addresses: new Set(),
    };
    this.#links.set(index, watched);
    if (watched.hostName !== name) {
      this.#withdraw(watched);
      watched.hostName = name;
    }
    watched.usable = this.counts(link);
    if (!watched.usable) this.#withdraw(watched);
    else if (settled) this.#announce(watched);
    else if (!watched.announced) watched.settling ??= setTimeout(() => this.#announce(watched), this.settleDelay);
  }

  gone(index: number): void {
    const watched = this.#links.get(index);
    if (watched === undefined) return;
    this.#links.delete(index);
    this.#withdraw(watched);
  }

  addressSeen(index: number, address: string): void {
    const watched = this.#links.get(index);
    if (watched === undefined || watched.addresses.has(address)) return;
    watched.addresses.add(address);
    if (watched.announced) this.listener.address(watched.hostName, address, true);
  }

  addressGone(index: number, address: string): void {
    const watched = this.#links.get(index);
    if (!watched?.addresses.delete(address)) return;
    if (watched.announced) this.listener.address(watched.hostName, address, false);
  }

  close(): void {
    for (const { settling } of this.#links.values()) clearTimeout(settling);
    this.#links.clear();
  }

  #announce(watched: Watched): void {
    this.#stopSettling(watched);
    if (!watched.usable || watched.announced) return;
    watched.announced = true;
    this.listener.link(watched.hostName, true);
    for (const address of watched.addresses) this.listener.address(watched.hostName, address, true);
  }

  #withdraw(watched: Watched): void {
    this.#stopSettling(watched);
    if (!watched.announced) return;
    watched.announced = false;
    for (const address of watched.addresses) this.listener.address(watched.hostName, address, false);
    this.listener.link(watched.hostName, false);
  }

  #stopSettling(watched: Watched): void {
    clearTimeout(watched.settling);
    watched.settling = undefined;
  }
}

function isOperational({ operState }: Link): boolean {
  return operState !== "down" && operState !== "notpresent";
}
