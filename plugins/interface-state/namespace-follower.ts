import type { InterfaceMetadata, NamespaceLease } from "#plugins/linux/index.js";
import type { Link, NamespaceHandle, NetlinkEvent } from "#plugins/netlink/index.js";
import { canonicalInterfaceAddress } from "#proto/index.js";
import type { InterfaceReporter } from "./reporter.js";
import { conditionOf } from "./state.js";

interface Followed {
  metadata: InterfaceMetadata;
  readonly reporter: InterfaceReporter;
  link: Link | undefined;
  readonly addresses: Set<string>;
}

/** Follows the kernel's events about the interfaces of one namespace, and gives their reporters what they tell. */
export class NamespaceFollower {
  readonly #followed = new Map<number, Followed>();
  #unsubscribe: (() => void) | undefined;
  #closed = false;

  /** @param onTrouble is told when the kernel cannot be asked. */
  constructor(
    private readonly lease: NamespaceLease,
    private readonly onTrouble: (error: unknown) => void,
  ) {}

  /** Starts to listen, then reads what was there before. */
  async start(): Promise<void> {
    const unsubscribe = await this.#handle.subscribe(["link", "address"], (event) => this.#hear(event));
    if (this.#closed) unsubscribe();
    else this.#unsubscribe = unsubscribe;
    await this.read();
  }

  follow(metadata: InterfaceMetadata, reporter: InterfaceReporter): void {
    const known = this.#followed.get(metadata.index);
    if (known?.reporter === reporter) known.metadata = metadata;
    else this.#followed.set(metadata.index, { metadata, reporter, link: undefined, addresses: new Set() });
    if (this.#unsubscribe !== undefined) this.#readOne(metadata.index).catch(this.onTrouble);
  }

  unfollow(index: number): void {
    this.#followed.delete(index);
  }

  /** Reads all links and addresses: at the start, after lost events, and for the counters when `counted`. */
  async read(counted = false): Promise<void> {
    const [links, addresses] = await Promise.all([this.#handle.linkList(), this.#handle.addrList()]);
    for (const followed of this.#followed.values()) followed.addresses.clear();
    for (const { linkIndex, address } of addresses) this.#followed.get(linkIndex)?.addresses.add(canonical(address));
    for (const link of links) {
      const followed = this.#followed.get(link.index);
      if (followed === undefined) continue;
      this.#tell(followed, link);
      if (counted && link.statistics !== undefined) followed.reporter.counted(link.statistics);
    }
  }

  close(): void {
    this.#closed = true;
    this.#unsubscribe?.();
    this.lease.release();
  }

  get #handle(): NamespaceHandle {
    return this.lease.handle;
  }

  async #readOne(index: number): Promise<void> {
    const [link, addresses] = await Promise.all([
      this.#handle.linkByIndex(index),
      this.#handle.addrList({ linkIndex: index }),
    ]);
    const followed = this.#followed.get(index);
    if (followed === undefined || link === undefined) return;
    followed.addresses.clear();
    for (const { address } of addresses) followed.addresses.add(canonical(address));
    this.#tell(followed, link);
  }

  #hear(event: NetlinkEvent): void {
    switch (event.type) {
      case "link": {
        const followed = this.#followed.get(event.link.index);
        if (followed !== undefined && !event.deleted) this.#tell(followed, event.link);
        break;
      }
      case "address": {
        const followed = this.#followed.get(event.address.linkIndex);
        if (followed === undefined) return;
        if (event.deleted) followed.addresses.delete(canonical(event.address.address));
        else followed.addresses.add(canonical(event.address.address));
        if (followed.link !== undefined) this.#tell(followed, followed.link);
        break;
      }
      case "lost":
        this.read().catch(this.onTrouble);
        break;
      default:
        // Not subscribed to, or the namespace was closed, which is this plugin's own doing.
        break;
    }
  }

  #tell(followed: Followed, link: Link): void {
    followed.link = link;
    const addresses = [...followed.addresses].sort();
    followed.reporter.changed(conditionOf(followed.metadata, link, addresses), link.statistics);
  }
}

function canonical(address: string): string {
  return canonicalInterfaceAddress(address) ?? address;
}
