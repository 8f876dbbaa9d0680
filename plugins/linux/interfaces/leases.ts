import type { NamespaceLease } from "../namespaces/index.js";

/** The namespace of every interface that exists, kept open for it, by logical name. */
export class InterfaceLeases {
  private readonly leases = new Map<string, NamespaceLease>();

  get(name: string): NamespaceLease | undefined {
    return this.leases.get(name);
  }

  /** Keeps a lease for an interface, in place of the one it had. */
  keep(name: string, lease: NamespaceLease): void {
    const before = this.leases.get(name);
    this.leases.set(name, lease);
    if (before !== lease) before?.release();
  }

  drop(name: string): void {
    this.leases.get(name)?.release();
    this.leases.delete(name);
  }

  /** Drops the leases of interfaces that do not exist any more. Cheap when there are as many leases as interfaces. */
  keepOnly(exists: (name: string) => boolean, count: number): void {
    if (this.leases.size === count) return;
    for (const name of [...this.leases.keys()]) if (!exists(name)) this.drop(name);
  }
}
