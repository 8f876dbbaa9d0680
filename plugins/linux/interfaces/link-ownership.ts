import { SouthboundError } from "#core/errors.js";
import type { MetadataMap, Scheduler } from "#core/scheduler/api/scheduler.js";
import type { Link, NamespaceHandle } from "#plugins/netlink/index.js";
import { type Interface, interfaceKey, type NetNamespace } from "#proto/index.js";
import { isCode, namespaceText } from "../namespaces/index.js";
import { hostNameOf } from "./host-name.js";
import type { InterfaceMetadata } from "./interface-index.js";
import type { SharedSettings } from "./link-type.js";
import { removeLink } from "./links.js";
import type { Marker } from "./marker.js";
import { temporaryName } from "./marker.js";
import { rename } from "./settings.js";
import { linkTypeOf } from "./types/index.js";

export interface OwnershipParts {
  readonly scheduler: Pick<Scheduler, "desired">;
  readonly metadataMap: MetadataMap<InterfaceMetadata>;
  readonly marker: Marker;
}

/**
 * Whose a link, a host name or a setting of a lower link is, where values could get in each other's way. What is under way counts as much
 * as what is there: creations run at the same time.
 */
export class LinkOwnership {
  private readonly parts: OwnershipParts;
  /** Names of values that are being given a link, by place. */
  private readonly takers = new Map<string, string>();
  /** How many creations want a host name in a namespace. */
  private readonly makers = new Map<string, number>();
  /** Values that are being made or changed, with what they want of their lower link. */
  private readonly sharers = new Map<string, SharedSettings>();

  constructor(parts: OwnershipParts) {
    this.parts = parts;
  }

  /** Runs `step` with a link of somebody else's taken for a value. Throws `EBUSY` when it is another value's. */
  async taking<T>(name: string, link: Link, handle: NamespaceHandle, step: () => Promise<T>): Promise<T> {
    const place = `${handle.identity}/${link.index}`;
    const { marker, metadataMap } = this.parts;
    const [known] = metadataMap.lookup("place", place);
    const owner = marker.nameIn(link.alias) ?? metadataMap.get(known ?? "")?.name ?? this.takers.get(place);
    if (owner !== undefined && owner !== name) {
      const message = `the link ${link.name} is that of interface ${owner}: one of the two has to go, or to mean another link`;
      throw new SouthboundError("EBUSY", message, { field: "host_if_name" });
    }
    this.takers.set(place, name);
    try {
      return await step();
    } finally {
      this.takers.delete(place);
    }
  }

  /** Runs `step`, which makes the link of a value (and of its peer). */
  async making<T>(value: Interface, step: () => Promise<T>): Promise<T> {
    const peer: Interface | undefined = value.veth?.peer_if_name
      ? this.parts.scheduler.desired(interfaceKey(value.veth.peer_if_name))
      : undefined;
    const names = [value, ...(peer === undefined ? [] : [peer])].map((each) =>
      nameIn(each.namespace, hostNameOf(each, linkTypeOf(each))),
    );
    for (const name of names) this.makers.set(name, (this.makers.get(name) ?? 0) + 1);
    try {
      return await step();
    } finally {
      for (const name of names) {
        const others = (this.makers.get(name) ?? 0) - 1;
        if (others > 0) this.makers.set(name, others);
        else this.makers.delete(name);
      }
    }
  }

  /** Runs `step` unless another value wants something else of the lower link; then throws `EBUSY`. */
  async sharing<T>(value: Interface, step: () => Promise<T>): Promise<T> {
    const { name = "" } = value;
    const own = linkTypeOf(value)?.shared?.(value);
    if (own === undefined) return step();
    for (const [other, settings] of this.others(value, own.lower)) {
      if (settings.text === own.text) continue;
      const message = `${own.lower} has ${settings.text} for all that stand on it, as ${other} wants it; ${name} wants ${own.text}`;
      throw new SouthboundError("EBUSY", message, { field: own.field });
    }
    this.sharers.set(name, own);
    try {
      return await step();
    } finally {
      this.sharers.delete(name);
    }
  }

  private *others({ name, type: own }: Interface, lower: string): IterableIterator<[string, SharedSettings]> {
    for (const [other, settings] of this.sharers) if (settings.lower === lower) yield [other, settings];
    for (const [key, { type, name: other }] of this.parts.metadataMap.entries()) {
      if (other === name || type !== own) continue;
      const desired: Interface | undefined = this.parts.scheduler.desired(key);
      const settings = desired && linkTypeOf(desired)?.shared?.(desired);
      if (settings?.lower === lower) yield [other, settings];
    }
  }

  /**
   * Makes a host name free when it is that of a link of ours which is to have another one, or to go: that link gets a name
   * for the time until its own turn comes. Everything else about it stays, whatever rests on it and whoever has it open.
   * Resolves with the link that keeps the name, if any.
   */
  async makeWay(
    handle: NamespaceHandle,
    hostName: string,
    namespace: NetNamespace | undefined,
  ): Promise<Link | undefined> {
    const link = await handle.linkByName(hostName);
    const owner = this.parts.marker.nameIn(link?.alias);
    if (link === undefined || owner === undefined) return link;
    if (link.name !== hostName || this.keeps(owner, hostName, namespace)) return link;
    try {
      await rename(handle, link, temporaryName(`${link.alias} ${link.index}`));
    } catch (error) {
      if (!isCode(error, "ENODEV")) throw error;
    }
    return undefined;
  }

  /**
   * As {@link makeWay}, for a creation. A link that an earlier one left half-made, because the kernel's answer was lost, is removed
   * unless another creation is at it now.
   */
  async clear(
    handle: NamespaceHandle,
    hostName: string,
    namespace: NetNamespace | undefined,
  ): Promise<Link | undefined> {
    const link = await this.makeWay(handle, hostName, namespace);
    const isAlone = this.makers.get(nameIn(namespace, hostName)) === 1;
    if (link === undefined || !isAlone || !this.parts.marker.isUnfinished(link)) return link;
    await removeLink(handle, link.index);
    return undefined;
  }

  private keeps(owner: string, hostName: string, namespace: NetNamespace | undefined): boolean {
    const key = interfaceKey(owner);
    const desired: Interface | undefined = this.parts.scheduler.desired(key);
    if (desired === undefined || hostNameOf(desired, linkTypeOf(desired)) !== hostName) return false;
    const place = namespaceText(desired.namespace);
    const present = this.parts.metadataMap.get(key);
    return place === namespaceText(namespace) || (present !== undefined && place === namespaceText(present.namespace));
  }
}

function nameIn(namespace: NetNamespace | undefined, hostName: string): string {
  return `${namespaceText(namespace)}: ${hostName}`;
}
