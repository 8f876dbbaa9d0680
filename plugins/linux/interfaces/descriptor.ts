import { BugError, SouthboundError, TenutoError } from "#core/errors.js";
import type {
  Dependency,
  Descriptor,
  InvalidField,
  KeyedValue,
  MetadataMap,
  RetrievedValue,
  Scheduler,
} from "#core/scheduler/api/scheduler.js";
import type { Link, NamespaceHandle } from "#plugins/netlink/index.js";
import { INTERFACE_PREFIX, type Interface, interfaceKey } from "#proto/index.js";
import { isCode, type NamespaceLease, type Namespaces, namespaceText } from "../namespaces/index.js";
import { derivedValues, givesUpMtu, sameLink } from "./canonical.js";
import { hostNameOf, isNamed } from "./host-name.js";
import type { InterfaceMetadata } from "./interface-index.js";
import type { InterfaceLeases } from "./leases.js";
import { LinkOwnership } from "./link-ownership.js";
import type { LinkContext, LinkLocation, LinkType } from "./link-type.js";
import type { Marker } from "./marker.js";
import { allAddressesOf, requestOf } from "./own-addresses.js";
import { retrieveInterfaces } from "./retrieve.js";
import { applySettings, rejoins, resetsOnRename } from "./settings.js";
import { linkTypeOf } from "./types/index.js";
import { validateInterface } from "./validation.js";

export const INTERFACE_DESCRIPTOR = "linux-interface";

export interface InterfaceDescriptorDependencies {
  readonly namespaces: Namespaces;
  readonly scheduler: Scheduler;
  readonly leases: InterfaceLeases;
  readonly marker: Marker;
  readonly metadataMap: MetadataMap<InterfaceMetadata>;
  /** Are the interfaces of that named namespace announced, whoever makes them? */
  readonly isWatched: (name: string) => boolean;
}

/** Interfaces of every type: what the types share is done here, what is a type's own in its {@link LinkType}. */
export class InterfaceDescriptor implements Descriptor<Interface, InterfaceMetadata> {
  readonly name = INTERFACE_DESCRIPTOR;
  readonly prefix = INTERFACE_PREFIX;
  /** Whether a value of a foreign link exists depends on what these have found. */
  readonly retrieveAfter = [
    "linux-interface-watcher",
    "linux-interface-presence",
    "linux-namespace-interface-watcher",
  ] as const;
  readonly metadataMap: MetadataMap<InterfaceMetadata>;
  private readonly namespaces: Namespaces;
  private readonly scheduler: Scheduler;
  private readonly leases: InterfaceLeases;
  private readonly marker: Marker;
  private readonly isWatched: (name: string) => boolean;
  /** Values that were read, and whose links are not in the VRF they are desired in: what is to rest on them waits for that. */
  private readonly strays = new WeakSet<Interface>();
  /** Values that were read, and whose links have lost our mark: everything else about them may be as it should be. */
  private readonly unmarked = new WeakSet<Interface>();
  /** Values that were read, and whose MTU nobody has chosen. */
  private readonly unchosen = new WeakSet<Interface>();
  private readonly ownership: LinkOwnership;

  constructor(dependencies: InterfaceDescriptorDependencies) {
    this.metadataMap = dependencies.metadataMap;
    this.namespaces = dependencies.namespaces;
    this.scheduler = dependencies.scheduler;
    this.leases = dependencies.leases;
    this.marker = dependencies.marker;
    this.isWatched = dependencies.isWatched;
    this.ownership = new LinkOwnership(dependencies);
  }

  validate(_key: string, value: Interface): readonly InvalidField[] {
    return validateInterface(value, this.marker);
  }

  dependencies(_key: string, value: Interface): readonly Dependency[] {
    return [
      ...this.namespaces.dependencies(value.namespace),
      ...(linkTypeOf(value)?.dependencies?.(value, this.isWatched) ?? []),
    ];
  }

  derivedValues(_key: string, value: Interface): readonly KeyedValue[] {
    return derivedValues(value, { isStray: this.strays.has(value) });
  }

  /**
   * A link of somebody else's is one value's at a time. Names of our own links need no claim: whoever is to give one up makes way
   * ({@link LinkOwnership.makeWay}), so that links can swap their names.
   */
  claims(_key: string, value: Interface): readonly string[] {
    const type = linkTypeOf(value);
    return type?.kinds === undefined ? [`${namespaceText(value.namespace)}: ${hostNameOf(value, type)}`] : [];
  }

  equivalent(_key: string, a: Interface, b: Interface): boolean {
    return !this.unmarked.has(a) && !this.unmarked.has(b) && !this.givesUpMtu(a, b) && sameLink(a, b);
  }

  async create(key: string, value: Interface): Promise<InterfaceMetadata> {
    return this.naming(key, async () => {
      const type = typeOf(value);
      const lease = await this.namespaces.acquire(value.namespace, key, { make: type.foreign !== true });
      try {
        const context: LinkContext = {
          ...this.context(lease.handle),
          makeWay: (...place) => this.ownership.clear(...place),
        };
        const make = () => this.ownership.sharing(value, () => type.create(value, context));
        const link = await this.ownership.making(value, make);
        const finish = async (): Promise<InterfaceMetadata> => {
          await applySettings(lease.handle, link, value, hostNameOf(value, type), this.makeWay);
          this.leases.keep(value.name ?? "", lease);
          return metadataOf(value, link.index, lease.handle);
        };
        try {
          if (type.kinds !== undefined) return await finish();
          return await this.ownership.taking(value.name ?? "", link, lease.handle, finish);
        } catch (error) {
          await type.remove?.(value, link.index, context);
          throw error;
        }
      } catch (error) {
        lease.release();
        throw error;
      }
    });
  }

  updateWithRecreate(_key: string, oldValue: Interface, newValue: Interface): boolean {
    const type = linkTypeOf(newValue);
    if (type === undefined || oldValue.type !== newValue.type) return true;
    const moves = namespaceText(oldValue.namespace) !== namespaceText(newValue.namespace);
    if (this.givesUpMtu(oldValue, newValue) && type.defaultMtu === undefined) return true;
    return (moves && !type.movable) || (type.recreates?.(oldValue, newValue) ?? false);
  }

  async update(
    key: string,
    oldValue: Interface,
    newValue: Interface,
    metadata: InterfaceMetadata,
  ): Promise<InterfaceMetadata> {
    return this.naming(key, async () => {
      const type = typeOf(newValue);
      const lease = await this.leaseOf(metadata);
      const context = this.context(lease.handle);
      await this.ownership.sharing(newValue, async () => type.update?.(oldValue, newValue, metadata.index, context));
      const mtu = this.givesUpMtu(oldValue, newValue) ? await type.defaultMtu?.(newValue, context) : undefined;
      const settled = mtu === undefined ? newValue : { ...newValue, mtu };
      if (namespaceText(oldValue.namespace) !== namespaceText(newValue.namespace)) {
        return this.move(settled, metadata, lease);
      }
      const link = await existingLink(lease.handle, metadata);
      const alias = this.marker.of(metadata.name);
      if (type.kinds !== undefined && link.alias !== alias) await lease.handle.linkSet({ index: link.index, alias });
      await applySettings(lease.handle, link, settled, hostNameOf(newValue, type), this.makeWay);
      const renamed = !isNamed(link, hostNameOf(newValue, type));
      if ((link.up && !newValue.enabled) || (renamed && resetsOnRename(link.up)) || rejoins(link, newValue)) {
        const [before, after] = [this.addressesOf(oldValue), this.addressesOf(newValue)];
        const kept = before.filter((address) => address.includes(":") && after.includes(address));
        await restoreIpv6(lease.handle, link.index, kept, newValue);
      }
      return metadataOf(newValue, link.index, lease.handle);
    });
  }

  async delete(key: string, value: Interface, metadata: InterfaceMetadata): Promise<void> {
    await this.naming(key, async () => {
      const lease = this.leases.get(metadata.name);
      // Without a lease a resync has found that the link vanished, perhaps with its namespace.
      if (lease === undefined) return;
      await linkTypeOf(value)?.remove?.(value, metadata.index, this.context(lease.handle));
      this.leases.drop(metadata.name);
    });
  }

  async retrieve(
    correlate: readonly RetrievedValue<Interface, InterfaceMetadata>[],
    only?: ReadonlySet<string>,
  ): Promise<readonly RetrievedValue<Interface, InterfaceMetadata>[]> {
    const expected = new Map(correlate.map(({ key, value }) => [key, value]));
    const found = await retrieveInterfaces({
      namespaces: this.namespaces,
      marker: this.marker,
      leases: this.leases,
      known: [...this.metadataMap.entries()].map(([, metadata]) => metadata),
      expected,
      only,
      desired: (name) => this.scheduler.desired(interfaceKey(name)),
      isReady: (value) => this.isReady(value),
    });
    for (const { key, value, unmarked } of found) {
      if (unmarked) this.unmarked.add(value);
      const before = expected.get(key);
      // What is expected of an orphan is what was read of it before.
      if (!before?.mtu || this.unchosen.has(before)) this.unchosen.add(value);
      const vrf = before?.vrf_master_interface;
      if (vrf && vrf !== value.vrf_master_interface) this.strays.add(value);
    }
    return found;
  }

  /**
   * Moves a link to another namespace, where it arrives down, without addresses, and perhaps with another index. What the
   * kernel may refuse is done before, so that a failure leaves the link where it was.
   */
  private async move(value: Interface, metadata: InterfaceMetadata, from: NamespaceLease): Promise<InterfaceMetadata> {
    const hostName = hostNameOf(value, linkTypeOf(value));
    const link = await existingLink(from.handle, metadata);
    await applySettings(from.handle, link, { ...value, enabled: link.up }, link.name, this.makeWay);
    const to = await this.namespaces.acquire(value.namespace, interfaceKey(metadata.name));
    try {
      const move = (): Promise<void> =>
        from.handle.linkSet({ index: metadata.index, namespace: to.handle, name: hostName });
      await move().catch(async (error: unknown) => {
        if (!isCode(error, "EEXIST")) throw error;
        if ((await this.makeWay(to.handle, hostName, value.namespace)) !== undefined) throw error;
        await move();
      });
      const moved = await to.handle.linkByName(hostName);
      if (moved === undefined) throw vanished(metadata);
      this.leases.keep(metadata.name, to);
      await applySettings(to.handle, moved, value, hostName, this.makeWay);
      return metadataOf(value, moved.index, to.handle);
    } catch (error) {
      if (this.leases.get(metadata.name) !== to) to.release();
      throw error;
    }
  }

  private givesUpMtu(before: Interface, after: Interface): boolean {
    return !this.unchosen.has(before) && givesUpMtu(before, after);
  }

  /** Is everything there that a value of a foreign link waits for? */
  private isReady(value: Interface): boolean {
    const dependencies = linkTypeOf(value)?.dependencies?.(value, this.isWatched) ?? [];
    return dependencies.every((each) => !("key" in each) || this.scheduler.status(each.key).state === "OBTAINED");
  }

  private context(handle: NamespaceHandle): LinkContext {
    return {
      handle,
      marker: this.marker,
      locationOf: (name) => this.placeOf(name),
      desired: (name) => this.scheduler.desired(interfaceKey(name)),
      acquire: (namespace, name) => this.namespaces.acquire(namespace, interfaceKey(name)),
      makeWay: this.makeWay,
    };
  }

  private readonly makeWay: LinkContext["makeWay"] = (handle, hostName, namespace) =>
    this.ownership.makeWay(handle, hostName, namespace);

  private addressesOf(value: Interface): readonly string[] {
    return allAddressesOf(value, (name) => this.scheduler.desired(interfaceKey(name)));
  }

  private placeOf(name: string): LinkLocation {
    const metadata = this.metadataMap.get(interfaceKey(name));
    const handle = this.leases.get(name)?.handle;
    if (metadata !== undefined && handle !== undefined) return { handle, index: metadata.index };
    throw new SouthboundError("ENODEV", `interface ${name} is not there`);
  }

  /** The lease of an interface that exists; opened anew for one whose namespace was given up, since its link had vanished. */
  private async leaseOf({ name, namespace }: InterfaceMetadata): Promise<NamespaceLease> {
    const lease = this.leases.get(name) ?? (await this.namespaces.acquire(namespace, interfaceKey(name)));
    this.leases.keep(name, lease);
    return lease;
  }

  /** What fails says which key it is about. */
  private async naming<T>(key: string, step: () => Promise<T>): Promise<T> {
    try {
      return await step();
    } catch (error) {
      if (!(error instanceof TenutoError) || error.kind !== "southbound" || error.key !== undefined) throw error;
      const field = error.field === undefined ? "" : `${error.field}: `;
      throw new SouthboundError(error.code, `${key}: ${field}${error.message}`, {
        key,
        field: error.field,
        cause: error,
      });
    }
  }
}

function typeOf(value: Interface): LinkType {
  const type = linkTypeOf(value);
  if (type === undefined)
    throw new BugError("NO_LINK_TYPE", `interface ${value.name} has an unknown type, but was not refused`);
  return type;
}

function metadataOf(value: Interface, index: number, handle: NamespaceHandle): InterfaceMetadata {
  const type = linkTypeOf(value);
  return {
    name: value.name ?? "",
    type: value.type ?? "UNDEFINED",
    hostName: hostNameOf(value, type),
    ours: type?.kinds !== undefined,
    index,
    ...(value.namespace === undefined ? {} : { namespace: value.namespace }),
    namespaceIdentity: handle.identity,
  };
}

async function existingLink(handle: NamespaceHandle, metadata: InterfaceMetadata): Promise<Link> {
  const link = await handle.linkByIndex(metadata.index);
  if (link === undefined) throw vanished(metadata);
  return link;
}

function vanished({ name, hostName }: InterfaceMetadata): SouthboundError {
  return new SouthboundError(
    "ENODEV",
    `the link ${hostName} of interface ${name} has vanished; a resync brings it back`,
  );
}

/**
 * The kernel takes the IPv6 addresses off a link that goes down (net/ipv6/addrconf.c, addrconf_ifdown) and accepts them
 * again at once; they are the interface's as before.
 */
async function restoreIpv6(
  handle: NamespaceHandle,
  index: number,
  lost: readonly string[],
  value: Interface,
): Promise<void> {
  await Promise.all(lost.map((address) => handle.addrReplace(requestOf(value, index, address))));
}
