import { createHash } from "node:crypto";
import type { Link } from "#plugins/netlink/index.js";

/**
 * Marks of what is ours on a link. The kernel's alias of a link (IFLA_IFALIAS, shown by `ip link`) says whose it is and for
 * which value: `tenuto:<label>:<logical name>`. The kernel ignores an alias in the request that makes a link
 * (net/core/rtnetlink.c, rtnl_create_link), so that a link is made in a group of its own (IFLA_GROUP, which it does not ignore)
 * and leaves it when it gets its alias: a link that a resync finds in that group is one that a crash of ours left half-made.
 */

/** IFALIASZ of linux/if.h without its zero and without ours: the kernel counts a text's zero as a part of it (ifla_policy). */
const MAX_ALIAS_BYTES = 254;

/** A name for a link that nobody else uses, for as long as it is on its way to where it belongs. */
export function temporaryName(seed: string): string {
  return `tnt${createHash("sha256").update(seed).digest("hex").slice(0, 12)}`;
}

export class Marker {
  /** The group of the links that this agent is making. Far from the small numbers that people give to groups. */
  readonly unfinishedGroup: number;
  private readonly prefix: string;

  constructor(label: string) {
    this.prefix = `tenuto:${label}:`;
    this.unfinishedGroup = (createHash("sha256").update(this.prefix).digest().readUInt32BE() % 2 ** 30) | (2 ** 30);
  }

  isUnfinished({ group, alias }: Pick<Link, "group" | "alias">): boolean {
    return group === this.unfinishedGroup && alias === undefined;
  }

  /** The alias of the link of that logical name. */
  of(name: string): string {
    return this.prefix + name;
  }

  /** The logical name in an alias of ours; `undefined` for any other alias. */
  nameIn(alias: string | undefined): string | undefined {
    return alias?.startsWith(this.prefix) ? alias.slice(this.prefix.length) : undefined;
  }

  /** The longest logical name that fits into an alias, bytes. */
  get maxNameBytes(): number {
    return MAX_ALIAS_BYTES - Buffer.byteLength(this.prefix);
  }
}
