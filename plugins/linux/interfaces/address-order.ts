import { createHash } from "node:crypto";
import { canonicalNetwork } from "#proto/index.js";

interface Place {
  /** First one of the network that the address is in. */
  readonly first: string;
  /** Position among the first ones, or among those of its network. */
  readonly position: number;
}

/**
 * The kernel keeps IPv4 addresses of a link in the order they came in, and the first of each network is the one that packets to that
 * network come from; the later ones are its secondaries (net/ipv4/devinet.c, __inet_insert_ifa). IPv6 chooses by rules of its
 * own (RFC 6724).
 */
export class AddressOrder {
  private readonly places = new Map<string, Place>();
  private readonly list = new Map<string, number>();
  private readonly firsts: string[] = [];
  /** By their first one. */
  private readonly networks = new Map<string, string[]>();

  /** @param addresses canonical; those of IPv6 are left out. */
  constructor(addresses: readonly string[]) {
    const firsts = new Map<string, string>();
    for (const address of addresses) {
      if (address.includes(":")) continue;
      this.list.set(address, this.list.size);
      const network = canonicalNetwork(address) ?? address;
      const first = firsts.get(network);
      if (first === undefined) {
        firsts.set(network, address);
        this.places.set(address, { first: address, position: this.firsts.push(address) - 1 });
        this.networks.set(address, [address]);
        continue;
      }
      const members = this.networks.get(first) ?? [];
      this.places.set(address, { first, position: members.push(address) - 1 });
    }
  }

  /** `undefined` where there is nothing to order. */
  get digest(): string | undefined {
    if (this.places.size < 2) return undefined;
    return createHash("sha256")
      .update(JSON.stringify([...this.networks]))
      .digest("hex")
      .slice(0, 8);
  }

  /** Where an address is in the list; those of IPv6 come first. */
  positionOf(address: string): number {
    return this.list.get(address) ?? -1;
  }

  /** Those that come before an address. */
  before(address: string): readonly string[] {
    const own = this.places.get(address);
    if (own === undefined) return [];
    if (own.first === address) return this.firsts.slice(0, own.position);
    return [...this.before(own.first), ...(this.networks.get(own.first) ?? []).slice(0, own.position)];
  }

  /** Has an address everything before it that comes before it in `desired`? What else is before it has gone, or goes. */
  holds(address: string, desired: AddressOrder): boolean {
    if (desired === this || !this.places.has(address)) return true;
    const before = new Set(this.before(address));
    return desired.before(address).every((other) => before.has(other));
  }
}
