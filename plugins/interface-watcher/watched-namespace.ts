import type { Link, NamespaceHandle, NetlinkEvent } from "#plugins/netlink/index.js";
import { canonicalInterfaceAddress } from "#proto/index.js";
import type { SettledLinks } from "./settled-links.js";

/**
 * Keeps {@link SettledLinks} of one namespace as the kernel has them: by its events, and by reading everything at the start and
 * when events were lost. What is heard while a read is under way is dealt with after it.
 */
export class WatchedNamespace {
  /** Events that came while a read is under way. */
  private heard: NetlinkEvent[] | undefined;
  private isInSync: Promise<void> = Promise.resolve();
  private unsubscribe: () => void = () => undefined;
  private closed = false;

  /** @param onRead is told how a read that lost events made necessary has ended. */
  constructor(
    private readonly handle: NamespaceHandle,
    private readonly sinks: readonly SettledLinks[],
    private readonly onRead: (error: unknown) => void,
  ) {}

  /** Resolves when what was there is known. */
  async start(): Promise<void> {
    const starting = this.begin();
    this.isInSync = starting.catch(() => undefined);
    await starting;
  }

  /** Resolves when no read is under way. */
  get inSync(): Promise<void> {
    return this.isInSync;
  }

  /**
   * Reads everything once more. The kernel tells nobody of the names that a link gets while it is down (net/core/dev.c,
   * netdev_state_change).
   */
  async look(): Promise<void> {
    await this.isInSync;
    if (this.closed) return;
    if (this.heard === undefined) this.catchUp();
    await this.isInSync;
  }

  /** Everything there is gone, as far as anybody here knows. */
  forget(): void {
    for (const links of this.sinks) for (const index of links.indexes) links.gone(index);
  }

  close(): void {
    this.closed = true;
    this.unsubscribe();
    for (const links of this.sinks) links.close();
  }

  private async begin(): Promise<void> {
    this.heard = [];
    const unsubscribe = await this.handle.subscribe(["link", "address"], (event) => this.hear(event));
    if (this.closed) unsubscribe();
    else this.unsubscribe = unsubscribe;
    await this.read(true);
  }

  private hear(event: NetlinkEvent): void {
    if (this.closed) return;
    if (this.heard !== undefined) this.heard.push(event);
    else if (event.type === "lost") this.catchUp();
    else this.openHandle(event);
  }

  private catchUp(): void {
    this.heard = [];
    this.isInSync = this.read(false).then(
      () => this.onRead(undefined),
      (error: unknown) => this.onRead(error),
    );
  }

  private openHandle(event: NetlinkEvent): void {
    switch (event.type) {
      case "link":
        if (event.deleted) for (const links of this.sinks) links.gone(event.link.index);
        else this.seen(event.link, false);
        break;
      case "address": {
        const { linkIndex } = event.address;
        const address = canonical(event.address.address);
        for (const links of this.sinks) {
          if (event.deleted) links.addressGone(linkIndex, address);
          else links.addressSeen(linkIndex, address);
        }
        break;
      }
      default:
        // Not subscribed to, or the namespace was closed, which is this plugin's own doing.
        break;
    }
  }

  /** Treats every difference as an event, then what was heard meanwhile. Once more when some of that was lost. */
  private async read(settled: boolean): Promise<void> {
    try {
      await this.compare(settled);
    } finally {
      const heard = this.heard ?? [];
      this.heard = undefined;
      const isAllThere = heard.every(({ type }) => type !== "lost");
      for (const event of heard) if (event.type !== "lost" && !this.closed) this.openHandle(event);
      if (!isAllThere && !this.closed) this.catchUp();
    }
  }

  private async compare(settled: boolean): Promise<void> {
    const [list, addresses] = await Promise.all([this.handle.linkList(), this.handle.addrList()]);
    if (this.closed) return;
    const present = new Set(list.map(({ index }) => index));
    const found = new Set<string>();
    for (const { linkIndex, address } of addresses) found.add(`${linkIndex} ${canonical(address)}`);
    for (const links of this.sinks) {
      for (const index of links.indexes) {
        if (!present.has(index)) links.gone(index);
        for (const address of [...links.addressesOf(index)]) {
          if (!found.has(`${index} ${address}`)) links.addressGone(index, address);
        }
      }
    }
    for (const link of list) this.seen(link, settled);
    for (const links of this.sinks) {
      for (const { linkIndex, address } of addresses) links.addressSeen(linkIndex, canonical(address));
    }
  }

  private seen(link: Link, settled: boolean): void {
    for (const links of this.sinks) links.seen(link, settled);
  }
}

function canonical(address: string): string {
  return canonicalInterfaceAddress(address) ?? address;
}
