import { token } from "#core/plugin/index.js";
import type { NamespaceHandle } from "#plugins/netlink/index.js";
import type { InterfaceType, NetNamespace } from "#proto/index.js";

/** Where a configured interface is in the kernel: the metadata of its value. */
export interface InterfaceMetadata {
  /** Logical name. */
  readonly name: string;
  readonly type: InterfaceType;
  readonly hostName: string;
  /** The agent made the link; otherwise it only configures it. */
  readonly ours: boolean;
  /** Index in its namespace. */
  readonly index: number;
  readonly namespace?: NetNamespace;
  /** Device and inode of its namespace: the same for every way to refer to it. */
  readonly namespaceIdentity: string;
}

/**
 * Configured interfaces that exist in the kernel: by logical name, by host name, by namespace and index. Filled while the
 * scheduler creates and deletes them.
 */
export interface InterfaceIndex {
  get(name: string): InterfaceMetadata | undefined;
  /** Every interface with that host name, at most one per namespace. */
  byHostName(hostName: string): readonly InterfaceMetadata[];
  byIndex(namespaceIdentity: string, index: number): InterfaceMetadata | undefined;
  all(): readonly InterfaceMetadata[];
  /** The namespace the interface is in; open for as long as the interface exists. */
  namespaceOf(name: string): NamespaceHandle | undefined;
  /** Called after an interface came, changed, or (`undefined`) went. Returns the function that ends the watch. */
  watch(listener: (name: string, metadata: InterfaceMetadata | undefined) => void): () => void;
}

export const InterfaceIndex = token<InterfaceIndex>("InterfaceIndex");
