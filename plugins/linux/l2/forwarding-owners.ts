import type { PlainForwarding } from "./forwarding-value.js";

/** Where an entry of a bridge is. */
export interface BridgePlace {
  /** Identity of the namespace, and index of the bridge there. */
  readonly identity: string;
  readonly bridge: number;
}

/** A value that has entries of a bridge. */
interface Owner {
  readonly place: string;
  readonly vlan: number;
  /** VLANs that an entry without one stands for. */
  readonly vlans: ReadonlySet<number>;
}

/** A bridge has one entry for each address and VLAN, whichever its port: which value of ours has it. */
export class ForwardingOwners {
  private readonly byKey = new Map<string, Owner>();
  private readonly byPlace = new Map<string, Set<string>>();

  /** The key of another value that has the same entry of the bridge. When there is none it is the value's from now on. */
  take(key: string, value: PlainForwarding, at: BridgePlace, vlans: readonly number[]): string | undefined {
    const place = `${at.identity} ${at.bridge} ${value.mac}`;
    const owner: Owner = { place, vlan: value.vlan, vlans: new Set(value.vlan === 0 ? vlans : []) };
    const here = this.byPlace.get(place) ?? new Set();
    for (const other of here) {
      const known = this.byKey.get(other);
      if (other !== key && known !== undefined && overlaps(owner, known)) return other;
    }
    this.drop(key);
    this.byKey.set(key, owner);
    this.byPlace.set(place, here.add(key));
    return undefined;
  }

  drop(key: string): void {
    const owner = this.byKey.get(key);
    if (owner === undefined) return;
    this.byKey.delete(key);
    const here = this.byPlace.get(owner.place);
    here?.delete(key);
    if (here?.size === 0) this.byPlace.delete(owner.place);
  }
}

function overlaps(a: Owner, b: Owner): boolean {
  return a.vlan === b.vlan || a.vlans.has(b.vlan) || b.vlans.has(a.vlan);
}
