import type { InterfaceMetadata } from "#plugins/linux/index.js";
import type { Link } from "#plugins/netlink/index.js";
import type { InterfaceReporter } from "./reporter.js";
import { conditionOf } from "./state.js";

/** An interface, and who is to be told of it. */
export interface Subject {
  readonly metadata: InterfaceMetadata;
  readonly reporter: InterfaceReporter;
  /** Nobody configured it: it is known by its host name, and is another one under another. */
  readonly isUnmanaged: boolean;
}

/** What was heard of an interface when a read began. */
export interface LastEvents {
  readonly links: number;
}

/**
 * What is known of one interface, from the kernel's events and from reads. An event that comes while a read is under way may be
 * newer than the answer: what it said counts.
 */
export class FollowedInterface {
  link: Link | undefined;
  /** Mbit/s; 0 for unknown. */
  speed = 0;
  /** Its driver knows no speed. */
  isSpeedless = false;
  private addresses = new Set<string>();
  private linksHeard = 0;
  /** What became of addresses while reads were under way. */
  private readonly moved = new Map<string, boolean>();
  private reads = 0;
  /** Its addresses are known. */
  private isComplete = false;

  constructor(public subject: Subject) {}

  get carries(): boolean {
    return this.link?.up === true && this.link.carrier;
  }

  hearLink(link: Link): void {
    this.linksHeard += 1;
    this.link = link;
  }

  /** `address` is canonical. */
  hearAddress(address: string, present: boolean): void {
    if (this.reads > 0) this.moved.set(address, present);
    this.put(address, present);
  }

  readBegins(): LastEvents {
    this.reads += 1;
    return { links: this.linksHeard };
  }

  /** An answer has come: `link` is `undefined` when there is none. Returns whether the interface is there. */
  readAnswered(before: LastEvents, link: Link | undefined, addresses: Iterable<string>): boolean {
    const isOutdated = before.links !== this.linksHeard;
    if (link === undefined && !isOutdated) return false;
    if (!isOutdated) this.link = link;
    this.addresses = new Set(addresses);
    this.isComplete = true;
    for (const [address, present] of this.moved) this.put(address, present);
    return true;
  }

  /** With or without an answer. */
  readEnds(): void {
    this.reads -= 1;
    if (this.reads === 0) this.moved.clear();
  }

  /** Has its reporter tell what is new, once it was read. `master` is the host name of the link that it belongs to. */
  tell(master: string | undefined): void {
    if (this.link === undefined || !this.isComplete) return;
    const speed = this.carries ? this.speed : 0;
    const addresses = [...this.addresses].sort();
    this.subject.reporter.changed(
      conditionOf(this.subject.metadata, this.link, { addresses, master, speed }),
      this.link.statistics,
    );
  }

  private put(address: string, present: boolean): void {
    if (present) this.addresses.add(address);
    else this.addresses.delete(address);
  }
}
