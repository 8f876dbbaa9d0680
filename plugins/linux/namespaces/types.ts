import { token } from "#core/plugin/index.js";
import type { Dependency } from "#core/scheduler/api/scheduler.js";
import type { NamespaceHandle } from "#plugins/netlink/index.js";
import type { NetNamespace } from "#proto/index.js";

/**
 * The right to use a network namespace. The namespace's socket stays open, and a namespace that the agent made stays in
 * being, until the last lease of it is released.
 */
export interface NamespaceLease {
  readonly handle: NamespaceHandle;
  /** Releasing twice is harmless. */
  release(): void;
}

/** A namespace as {@link Namespaces.survey} found it. */
export interface SurveyedNamespace {
  /** Every reference that leads to it, at least one; `undefined` is that to the agent's own namespace. */
  readonly references: readonly (NetNamespace | undefined)[];
  readonly lease: NamespaceLease;
}

/**
 * Network namespaces as values refer to them (`NetNamespace`): `NSID` by name, `PID` by a process in it, `FD` by a path,
 * `MICROSERVICE` by the name of the microservice that a container in it runs. No reference means the namespace in which the agent runs.
 */
export interface Namespaces {
  /** What a value in that namespace waits for, and is taken away with. */
  dependencies(namespace: NetNamespace | undefined): readonly Dependency[];
  /**
   * Opens the namespace, and makes it when it is a named one that does not exist, unless `make` is false. Throws `SouthboundError`
   * that names `key` and the field `namespace.reference` when it cannot be opened or made.
   */
  acquire(
    namespace: NetNamespace | undefined,
    key: string,
    options?: { readonly make?: boolean },
  ): Promise<NamespaceLease>;
  /**
   * Opens the namespace to look into it: it is not made, and not kept in being. Throws `SouthboundError`, `ENOENT` when it is
   * not there. The caller closes the handle.
   */
  open(namespace: NetNamespace | undefined): Promise<NamespaceHandle>;
  /**
   * Opens every namespace that may hold links of ours, each once: the agent's own, those of `expected`, and with `named` all
   * named ones. What cannot be opened is left out. The caller releases the leases.
   */
  survey(
    expected: Iterable<NetNamespace | undefined>,
    options: { readonly named: boolean },
  ): Promise<readonly SurveyedNamespace[]>;
}

export const Namespaces = token<Namespaces>("Namespaces");
