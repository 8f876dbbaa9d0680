import type { NetNamespace } from "#proto/index.js";
import type { NamespaceLease, Namespaces } from "../namespaces/index.js";

/** The namespaces of values that rest on no interface, each kept open while its value exists. */
export class ValueLeases {
  private readonly leases = new Map<string, NamespaceLease>();

  constructor(private readonly namespaces: Namespaces) {}

  get(key: string): NamespaceLease | undefined {
    return this.leases.get(key);
  }

  /** Runs `step` in the namespace, which stays open for the value under `key` if the step succeeds. */
  async during(
    key: string,
    namespace: NetNamespace | undefined,
    step: (lease: NamespaceLease) => Promise<void>,
  ): Promise<void> {
    const lease = await this.namespaces.acquire(namespace, key);
    try {
      await step(lease);
    } catch (error) {
      lease.release();
      throw error;
    }
    this.drop(key);
    this.leases.set(key, lease);
  }

  /** Takes a lease for a value that was found to exist, unless it has one in that namespace. */
  async adopt(key: string, namespace: NetNamespace | undefined, identity: string): Promise<void> {
    if (this.leases.get(key)?.handle.identity === identity) return;
    await this.during(key, namespace, async () => undefined);
  }

  drop(key: string): void {
    this.leases.get(key)?.release();
    this.leases.delete(key);
  }
}
