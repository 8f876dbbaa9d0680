import { TenutoError } from "#core/errors.js";
import type { NamedEvent, NamespaceHandle, Netlink } from "#plugins/netlink/index.js";
import type { NamespaceLease } from "./types.js";

/** LOOPBACK_IFINDEX of the kernel's include/net/flow.h: the loopback link of every namespace. */
const LOOPBACK_INDEX = 1;

/**
 * Links that the kernel puts into every new namespace by itself (net.core.fb_tunnels_only_for_init_net), so that they say
 * nothing about whether somebody uses it.
 */
const KERNEL_LINKS = new Set([
  "lo",
  "tunl0",
  "gre0",
  "gretap0",
  "erspan0",
  "ip_vti0",
  "sit0",
  "ip6tnl0",
  "ip6gre0",
  "ip6_vti0",
]);

export interface OwnedLease extends NamespaceLease {
  /** The agent made the namespace. */
  readonly owned: boolean;
}

interface Named {
  readonly name: string;
  readonly handle: NamespaceHandle;
  /** The agent made it. */
  readonly owned: boolean;
  leases: number;
}

/**
 * The named namespaces in use. One that is missing is made, and marked as ours by an alias on its loopback link before it has its name: a mark
 * that lives exactly as long as the namespace, and that a restarted agent finds again, however the last one ended. Making and removing one name never
 * overlap.
 */
export class ManagedNamespaces {
  private readonly netlink: Netlink;
  private readonly mark: string;
  private readonly open = new Map<string, Named>();
  /** The last thing under way per name. */
  private readonly busy = new Map<string, Promise<unknown>>();

  private readonly onUnused: () => void;

  /** @param onUnused is called when a namespace of ours loses its last lease. */
  constructor(netlink: Netlink, label: string, onUnused: () => void) {
    this.netlink = netlink;
    this.onUnused = onUnused;
    this.mark = `tenuto:${label}`;
  }

  /** Opens the namespace. When there is none it makes one if `make` says so, and throws `ENOENT` otherwise. */
  async acquire(name: string, make: boolean): Promise<OwnedLease> {
    const open = this.open.get(name);
    const named = open === undefined ? await this.alone(name, () => this.openLeased(name, make)) : lease(open);
    let released = false;
    return {
      handle: named.handle,
      owned: named.owned,
      release: () => {
        if (released) return;
        released = true;
        named.leases -= 1;
        if (named.leases > 0) return;
        if (named.owned && this.open.get(name) === named) this.onUnused();
        else this.drop(named);
      },
    };
  }

  /** True when a namespace of ours is without a lease, so that {@link removeUnused} has something to look at. */
  get hasUnused(): boolean {
    for (const named of this.open.values()) if (named.owned && named.leases === 0) return true;
    return false;
  }

  /**
   * Removes the namespaces of ours that have no lease and that nobody wants. One in which somebody else put a link
   * is left alone. Resolves with the names that went; a removal that fails goes to `onError`.
   */
  async removeUnused(
    isDesired: (name: string) => boolean,
    onError: (name: string, error: unknown) => void,
  ): Promise<readonly string[]> {
    const unused = [...this.open.values()].filter((each) => each.owned && each.leases === 0 && !isDesired(each.name));
    const removed = await Promise.all(
      unused.map((named) =>
        this.alone(named.name, () => this.removeNow(named)).catch((error: unknown) => {
          onError(named.name, error);
          return false;
        }),
      ),
    );
    return unused.filter((_, position) => removed[position]).map(({ name }) => name);
  }

  /** A name is gone, or stands for another namespace now: later leases open it anew. */
  changed({ name, identity, created }: NamedEvent): void {
    const named = this.open.get(name);
    // One that was opened since then stays.
    if (named === undefined || (named.handle.identity === identity) === created) return;
    this.open.delete(name);
    if (named.leases === 0) named.handle.close();
  }

  close(): void {
    for (const named of this.open.values()) named.handle.close();
    this.open.clear();
  }

  /** Counts the lease itself, so that nobody drops the namespace before the caller goes on. */
  private async openLeased(name: string, make: boolean): Promise<Named> {
    const open = this.open.get(name);
    if (open !== undefined) return lease(open);
    const ref = { kind: "named", name } as const;
    let handle: NamespaceHandle;
    try {
      handle = await this.netlink.open(ref);
    } catch (error) {
      if (!make || !isCode(error, "ENOENT")) throw error;
      handle = await this.make(name);
    }
    const loopback = await handle.linkByIndex(LOOPBACK_INDEX);
    const named: Named = { name, handle, owned: loopback?.alias === this.mark, leases: 1 };
    this.open.set(name, named);
    return named;
  }

  private async make(name: string): Promise<NamespaceHandle> {
    const ref = { kind: "named", name } as const;
    try {
      await this.netlink.createNamed(name, { alias: this.mark });
    } catch (error) {
      const isTaken = isCode(error, "EEXIST") && (await this.netlink.listNamed()).includes(name);
      if (!isTaken) throw error;
    }
    return this.netlink.open(ref);
  }

  private async removeNow(named: Named): Promise<boolean> {
    // It may have gone while it waited for its turn, or while it was looked at: then its handle is closed.
    const isThere = (): boolean => this.open.get(named.name) === named;
    if (!isThere()) return false;
    const links = await named.handle.linkList().catch((error: unknown) => {
      if (isThere()) throw error;
      return [];
    });
    if (named.leases > 0 || !isThere()) return false;
    if (links.some((link) => !KERNEL_LINKS.has(link.name))) return false;
    this.drop(named);
    await this.netlink.deleteNamed(named.name);
    return true;
  }

  private drop(named: Named): void {
    if (this.open.get(named.name) === named) this.open.delete(named.name);
    named.handle.close();
  }

  /** Runs `step` when whatever is under way for that name is over. */
  private alone<T>(name: string, step: () => Promise<T>): Promise<T> {
    const before = this.busy.get(name) ?? Promise.resolve();
    const run = before.then(step, step);
    this.busy.set(name, run);
    const clear = () => {
      if (this.busy.get(name) === run) this.busy.delete(name);
    };
    run.then(clear, clear);
    return run;
  }
}

function lease(named: Named): Named {
  named.leases += 1;
  return named;
}

export function isCode(error: unknown, ...codes: readonly string[]): boolean {
  return error instanceof TenutoError && codes.includes(error.code);
}
