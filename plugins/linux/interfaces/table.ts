import { createMetadataMap } from "#core/scheduler/api/metadata.js";
import type { MetadataMap } from "#core/scheduler/api/scheduler.js";
import type { NamespaceHandle } from "#plugins/netlink/index.js";
import { interfaceKey } from "#proto/index.js";
import type { InterfaceIndex, InterfaceMetadata } from "./interface-index.js";
import type { InterfaceLeases } from "./leases.js";

/** {@link InterfaceIndex} on the metadata that the scheduler keeps. */
export class InterfaceTable implements InterfaceIndex {
  readonly metadata: MetadataMap<InterfaceMetadata> = createMetadataMap(({ hostName, namespaceIdentity, index }) => ({
    hostName,
    place: place(namespaceIdentity, index),
  }));

  constructor(private readonly leases: InterfaceLeases) {}

  get(name: string): InterfaceMetadata | undefined {
    return this.metadata.get(interfaceKey(name));
  }

  byHostName(hostName: string): readonly InterfaceMetadata[] {
    return this.lookup("hostName", hostName);
  }

  byIndex(namespaceIdentity: string, index: number): InterfaceMetadata | undefined {
    return this.lookup("place", place(namespaceIdentity, index))[0];
  }

  all(): readonly InterfaceMetadata[] {
    return [...this.metadata.entries()].map(([, metadata]) => metadata);
  }

  namespaceOf(name: string): NamespaceHandle | undefined {
    return this.leases.get(name)?.handle;
  }

  watch(listener: (name: string, metadata: InterfaceMetadata | undefined) => void): () => void {
    const prefix = interfaceKey("").length;
    return this.metadata.watch((key, metadata) => listener(key.slice(prefix), metadata));
  }

  private lookup(field: string, value: string): readonly InterfaceMetadata[] {
    return this.metadata.lookup(field, value).flatMap((key) => this.metadata.get(key) ?? []);
  }
}

function place(namespaceIdentity: string, index: number): string {
  return `${namespaceIdentity}/${index}`;
}
