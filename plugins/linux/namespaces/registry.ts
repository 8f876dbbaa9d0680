import { errorMessage, SouthboundError, TenutoError } from "#core/errors.js";
import type { Dependency } from "#core/scheduler/api/scheduler.js";
import type { NamespaceHandle, NamespaceRef, Netlink } from "#plugins/netlink/index.js";
import type { NetNamespace } from "#proto/index.js";
import type { ManagedNamespaces, OwnedLease } from "./managed-namespaces.js";
import { namespaceText } from "./reference.js";
import type { NamespaceLease, Namespaces, SurveyedNamespace } from "./types.js";
import type { NamespaceWatch } from "./watch.js";

export interface NamespaceRegistryParts {
  readonly netlink: Netlink;
  readonly named: ManagedNamespaces;
  readonly watch: NamespaceWatch;
}

/** {@link Namespaces} on the netlink client. */
export class NamespaceRegistry implements Namespaces {
  private readonly netlink: Netlink;
  private readonly named: ManagedNamespaces;
  private readonly watch: NamespaceWatch;

  constructor({ netlink, named, watch }: NamespaceRegistryParts) {
    this.netlink = netlink;
    this.named = named;
    this.watch = watch;
  }

  dependencies(namespace: NetNamespace | undefined): readonly Dependency[] {
    return this.watch.dependencies(namespace);
  }

  async acquire(
    namespace: NetNamespace | undefined,
    key: string,
    { make = true }: { readonly make?: boolean } = {},
  ): Promise<NamespaceLease> {
    try {
      const lease = await this.lease(namespace, make);
      return namespace === undefined ? lease : this.watched(lease, namespace);
    } catch (error) {
      throw refusal(error, namespace, key);
    }
  }

  async open(namespace: NetNamespace | undefined): Promise<NamespaceHandle> {
    return this.netlink.open(this.found(namespace));
  }

  async survey(
    expected: Iterable<NetNamespace | undefined>,
    { named }: { readonly named: boolean },
  ): Promise<readonly SurveyedNamespace[]> {
    const names = named ? await this.netlink.listNamed() : [];
    const candidates = [
      undefined,
      ...expected,
      ...names.map((reference): NetNamespace => ({ type: "NSID", reference })),
    ];
    const references = new Map(candidates.map((namespace) => [namespaceText(namespace), namespace]));
    const leases = await Promise.allSettled(
      [...references.values()].map(async (namespace) => ({ namespace, lease: await this.find(namespace) })),
    );
    const surveyed = new Map<string, { references: (NetNamespace | undefined)[]; lease: NamespaceLease }>();
    for (const result of leases) {
      if (result.status === "rejected") continue;
      const { namespace, lease } = result.value;
      const known = surveyed.get(lease.handle.identity);
      if (known === undefined) surveyed.set(lease.handle.identity, { references: [namespace], lease });
      else {
        known.references.push(namespace);
        lease.release();
      }
    }
    return [...surveyed.values()];
  }

  /** The lease counts as a use of the reference until it is released. */
  private watched(lease: OwnedLease, namespace: NetNamespace): NamespaceLease {
    const released = this.watch.leased(namespace, lease.handle, lease.owned);
    const release = once(() => {
      lease.release();
      released();
    });
    return { handle: lease.handle, release };
  }

  /** Leads to where values still are also when the reference does not any more. */
  private async find(namespace: NetNamespace | undefined): Promise<NamespaceLease> {
    try {
      return await this.lease(namespace, false);
    } catch (error) {
      const last = this.watch.lastPlace(namespace);
      if (last === undefined) throw error;
      const handle = await this.netlink.open(last);
      return { handle, release: once(() => handle.close()) };
    }
  }

  private async lease(namespace: NetNamespace | undefined, make: boolean): Promise<OwnedLease> {
    const ref = this.found(namespace);
    if (ref.kind === "named") return this.named.acquire(ref.name, make);
    const handle = await this.netlink.open(ref);
    return { handle, owned: false, release: once(() => handle.close()) };
  }

  private found(namespace: NetNamespace | undefined): NamespaceRef {
    const ref = this.watch.located(namespace);
    if (ref === undefined) throw new SouthboundError("ENOENT", `${namespaceText(namespace)} is not there`);
    return ref;
  }
}

const HINTS: Readonly<Record<string, string>> = {
  EPERM: " (opening and making network namespaces needs CAP_SYS_ADMIN)",
  EACCES: " (that of a process that may do more than the agent needs CAP_SYS_PTRACE)",
};

function refusal(error: unknown, namespace: NetNamespace | undefined, key: string): unknown {
  if (!(error instanceof TenutoError) || error.kind !== "southbound") return error;
  const hint = HINTS[error.code] ?? "";
  const field = "namespace.reference";
  const message = `${key}: ${field}: cannot use ${namespaceText(namespace)}: ${errorMessage(error)}${hint}`;
  return new SouthboundError(error.code, message, { key, field, cause: error });
}

function once(step: () => void): () => void {
  let done = false;
  return () => {
    if (done) return;
    done = true;
    step();
  };
}
