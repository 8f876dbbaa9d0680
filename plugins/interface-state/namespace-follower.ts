import { SouthboundError } from "#core/errors.js";
import type { NamespaceLease } from "#plugins/linux/index.js";
import type { Address, Link, NamespaceHandle, NetlinkEvent } from "#plugins/netlink/index.js";
import { canonicalInterfaceAddress } from "#proto/index.js";
import { FollowedInterface, type Subject } from "./followed-interface.js";
import { LinkBatcher } from "./link-batcher.js";

/** Links whose carrier came together are asked for their speed together: ms after the first. */
const SPEED_DELAY = 50;
/** So many interfaces that come together are read one by one. */
const FEW = 8;
/** The others are read together, ms after the first. */
const ARRIVAL_DELAY = 100;
/** How long a link that nobody configured must have been there, ms: most are about to be configured, or renamed. */
const UNMANAGED_DELAY = 500;

/** The driver, or the kernel, cannot tell a speed; or the link has just gone. */
const NO_SPEED: ReadonlySet<string> = new Set(["EOPNOTSUPP", "ENOENT", "ENODEV"]);

export interface NamespaceFollowerOptions {
  readonly lease: NamespaceLease;
  /** Gives the subject of a link that nobody configured, or nothing for one that is not to be followed. Left out: none is. */
  readonly unmanaged: ((link: Link) => Subject | undefined) | undefined;
  /** A link is gone, or is not what it was. */
  readonly left: (subject: Subject) => void;
  /** Told when the kernel cannot be asked. */
  readonly onTrouble: (error: unknown) => void;
}

/** Follows the kernel's events about the interfaces of one namespace, and gives their reporters what they tell. */
export class NamespaceFollower {
  private readonly options: NamespaceFollowerOptions;
  /** By index. */
  private readonly followed = new Map<number, FollowedInterface>();
  /** Host names of all links, by index. */
  private readonly names = new Map<number, string>();
  private readonly speeds = new LinkBatcher(SPEED_DELAY, (indexes) => this.unattended(this.readSpeeds(indexes)));
  private readonly unmanaged: LinkBatcher | undefined;
  private readonly arrivals = new LinkBatcher(ARRIVAL_DELAY, () => {
    const areMany = this.newcomers > FEW;
    this.newcomers = 0;
    if (areMany) this.unattended(this.read());
  });
  /** Interfaces that came since arrivals were last read. */
  private newcomers = 0;
  private unsubscribe: (() => void) | undefined;
  private behind = false;
  private catchingUp = false;
  private closed = false;

  constructor(options: NamespaceFollowerOptions) {
    this.options = options;
    if (options.unmanaged === undefined) return;
    this.unmanaged = new LinkBatcher(UNMANAGED_DELAY, (indexes) => this.unattended(this.meet(indexes)));
  }

  /** Starts to listen, then reads what was there before. */
  async start(): Promise<void> {
    const unsubscribe = await this.handle.subscribe(["link", "address"], (event) => this.hear(event));
    if (this.closed) unsubscribe();
    else this.unsubscribe = unsubscribe;
    await this.read();
  }

  follow(subject: Subject): void {
    const { metadata, reporter } = subject;
    const known = this.followed.get(metadata.index);
    if (known?.subject.reporter === reporter) known.subject = subject;
    else {
      if (known !== undefined) this.lose(metadata.index, known);
      this.followed.set(metadata.index, new FollowedInterface(subject));
    }
    if (this.unsubscribe === undefined) return;
    // A few are read one by one and told at once; many that come together are read together, once they have settled.
    if (++this.newcomers <= FEW) this.unattended(this.readOne(metadata.index));
    this.arrivals.add(metadata.index);
  }

  /** The link is nobody's any more, or its subject is another link. */
  unfollow(index: number): void {
    this.followed.delete(index);
    this.unmanaged?.add(index);
  }

  /** Nothing that is still followed will be heard of again. */
  abandon(): void {
    for (const [index, followed] of this.followed) this.lose(index, followed);
    this.close();
  }

  /** Follows what nobody configured too, as far as it is desired. */
  async discoverUnmanaged(): Promise<void> {
    await this.meet([...this.names.keys()]);
  }

  /** Reads all links and addresses: at the start, after lost events, and for the counters when `counted`. */
  async read(counted = false): Promise<void> {
    const reads = [...this.followed].map(([index, each]) => ({ index, each, before: each.readBegins() }));
    try {
      const [list, addresses] = await Promise.all([this.handle.linkList(), this.handle.addrList()]);
      const links = new Map(list.map((link) => [link.index, link]));
      for (const index of this.names.keys()) if (!links.has(index)) this.names.delete(index);
      for (const { index, name } of list) this.named(index, name);
      const found = byLink(addresses);
      for (const { index, each, before } of reads) {
        if (this.followed.get(index) !== each) continue;
        const link = links.get(index);
        if (!each.readAnswered(before, link, found.get(index) ?? [])) this.lose(index, each);
        else this.tell(index, each);
        if (counted && link?.statistics !== undefined) each.subject.reporter.counted(link.statistics);
      }
      this.noteUnmanaged(links.keys());
    } finally {
      for (const { each } of reads) each.readEnds();
    }
  }

  close(): void {
    this.closed = true;
    this.speeds.close();
    this.arrivals.close();
    this.unmanaged?.close();
    this.unsubscribe?.();
    this.options.lease.release();
  }

  private get handle(): NamespaceHandle {
    return this.options.lease.handle;
  }

  private async readOne(index: number): Promise<void> {
    const each = this.followed.get(index);
    if (each === undefined) return;
    const before = each.readBegins();
    try {
      const [link, addresses] = await Promise.all([
        this.handle.linkByIndex(index),
        this.handle.addrList({ linkIndex: index }),
      ]);
      if (this.followed.get(index) !== each) return;
      const isThere = each.readAnswered(
        before,
        link,
        addresses.map(({ address }) => canonical(address)),
      );
      if (isThere) this.tell(index, each);
      else this.lose(index, each);
    } finally {
      each.readEnds();
    }
  }

  private hear(event: NetlinkEvent): void {
    switch (event.type) {
      case "link":
        this.hearLink(event.link, event.deleted);
        break;
      case "address": {
        const { linkIndex, address } = event.address;
        const followed = this.followed.get(linkIndex);
        if (followed === undefined) return;
        followed.hearAddress(canonical(address), !event.deleted);
        this.tell(linkIndex, followed);
        break;
      }
      case "lost":
        this.unattended(this.catchUp());
        break;
      default:
        // Not subscribed to, or the namespace was closed, which is this plugin's own doing.
        break;
    }
  }

  private hearLink(link: Link, deleted: boolean): void {
    const { index } = link;
    const followed = this.followed.get(index);
    if (deleted) {
      this.names.delete(index);
      if (followed !== undefined) this.lose(index, followed);
      return;
    }
    this.named(index, link.name);
    if (followed === undefined) {
      this.unmanaged?.add(index);
      return;
    }
    followed.hearLink(link);
    this.tell(index, followed);
  }

  /** Its ports are told of the new name of a link. */
  private named(index: number, name: string): void {
    const before = this.names.get(index);
    if (before === name) return;
    this.names.set(index, name);
    if (before === undefined) return;
    for (const [port, followed] of this.followed) if (followed.link?.master === index) this.tell(port, followed);
  }

  private tell(index: number, followed: FollowedInterface): void {
    const { link, subject } = followed;
    if (link === undefined) return;
    if (!followed.carries) followed.speed = 0;
    else if (followed.speed === 0 && !followed.isSpeedless) this.speeds.add(index);
    if (subject.isUnmanaged && link.name !== subject.metadata.hostName) {
      this.lose(index, followed);
      this.unmanaged?.add(index);
      return;
    }
    followed.tell(link.master === undefined ? undefined : this.names.get(link.master));
  }

  private lose(index: number, { subject }: FollowedInterface): void {
    this.followed.delete(index);
    subject.reporter.gone();
    this.options.left(subject);
  }

  /** Reads again after lost events, until none were lost meanwhile. */
  private async catchUp(): Promise<void> {
    this.behind = true;
    if (this.catchingUp) return;
    this.catchingUp = true;
    try {
      while (this.behind && !this.closed) {
        this.behind = false;
        await this.read();
      }
    } finally {
      this.catchingUp = false;
    }
  }

  private async readSpeeds(indexes: readonly number[]): Promise<void> {
    const read = async (index: number): Promise<void> => {
      const followed = this.followed.get(index);
      if (followed === undefined || !followed.carries) return;
      const speed = await this.speedOf(index);
      if (this.followed.get(index) !== followed) return;
      followed.isSpeedless = speed === undefined;
      followed.speed = speed ?? 0;
      if (speed !== undefined && speed > 0) this.tell(index, followed);
    };
    await Promise.all(indexes.map(read));
  }

  /** `undefined` when the driver of the link, or the kernel, cannot tell. */
  private async speedOf(index: number): Promise<number | undefined> {
    try {
      return await this.handle.linkSpeed(index);
    } catch (error) {
      if (error instanceof SouthboundError && NO_SPEED.has(error.code)) return undefined;
      throw error;
    }
  }

  private async meet(indexes: readonly number[]): Promise<void> {
    for (const index of indexes) {
      if (this.closed || this.followed.has(index)) continue;
      const link = await this.handle.linkByIndex(index);
      const subject = link === undefined || this.followed.has(index) ? undefined : this.options.unmanaged?.(link);
      if (subject !== undefined) this.follow(subject);
    }
  }

  private noteUnmanaged(indexes: Iterable<number>): void {
    if (this.unmanaged === undefined) return;
    for (const index of indexes) if (!this.followed.has(index)) this.unmanaged.add(index);
  }

  private unattended(work: Promise<void>): void {
    work.catch((error: unknown) => {
      if (!this.closed) this.options.onTrouble(error);
    });
  }
}

/** Canonical addresses by index of their link. */
function byLink(addresses: readonly Address[]): ReadonlyMap<number, readonly string[]> {
  const found = new Map<number, string[]>();
  for (const { linkIndex, address } of addresses) {
    const others = found.get(linkIndex);
    if (others === undefined) found.set(linkIndex, [canonical(address)]);
    else others.push(canonical(address));
  }
  return found;
}

function canonical(address: string): string {
  return canonicalInterfaceAddress(address) ?? address;
}
