import type { RetrievedValue } from "#core/scheduler/api/scheduler.js";
import type { Address, Link, NamespaceHandle } from "#plugins/netlink/index.js";
import { canonicalInterfaceAddress, type Interface, interfaceKey, type NetNamespace } from "#proto/index.js";
import { type Namespaces, namespaceText } from "../namespaces/index.js";
import { TENUTO_PROTOCOL } from "../protocol.js";
import { type Contents, groupBy, readNamespaces } from "./contents.js";
import { hostNameOf, isNamed } from "./host-name.js";
import type { InterfaceMetadata } from "./interface-index.js";
import type { InterfaceLeases } from "./leases.js";
import { readLinkSettings } from "./link-settings.js";
import type { FoundLink, FoundLinks, LinkType } from "./link-type.js";
import type { Marker } from "./marker.js";
import { allAddressesOf, describeAddress, interfaceAddresses } from "./own-addresses.js";
import { ownAddressOf } from "./settings.js";
import { linkTypeOf, linkTypeOfKind } from "./types/index.js";

export interface RetrieveRequest {
  readonly namespaces: Namespaces;
  readonly marker: Marker;
  /** Gets a lease for each interface found. */
  readonly leases: InterfaceLeases;
  /** The interfaces that existed so far. */
  readonly known: readonly InterfaceMetadata[];
  /** Desired values by key: all of them, or with `only` those under its keys. */
  readonly expected: ReadonlyMap<string, Interface>;
  readonly only: ReadonlySet<string> | undefined;
  /** The desired value of any interface. */
  readonly desired: (name: string) => Interface | undefined;
  /** Is everything there that a value of a foreign link waits for? */
  readonly isReady: (value: Interface) => boolean;
}

/** `unmarked`: the link has lost our mark. */
export type Retrieved = RetrievedValue<Interface, InterfaceMetadata> & { readonly unmarked?: boolean };

/**
 * Reads every interface of ours: links that carry our alias, in any namespace, and for the types that have no link of their
 * own (`EXISTING`, `LOOPBACK`) the links that desired values name. Links that a crash left half-made, and all but one of those that
 * stand for the same value, are reported under a name that nobody wants, so that a resync removes them.
 */
export async function retrieveInterfaces(request: RetrieveRequest): Promise<readonly Retrieved[]> {
  const { only, known } = request;
  const found = await retrieveFrom(request, { named: only === undefined });
  if (only === undefined) return found;
  const isMissing = ({ name, ours }: InterfaceMetadata): boolean =>
    ours && only.has(interfaceKey(name)) && !found.some(({ metadata }) => metadata?.name === name);
  // Somebody may have moved it to where nothing of ours has been.
  return known.some(isMissing) ? retrieveFrom(request, { named: true }) : found;
}

/** @param where Is every named namespace looked into, or only those that values are in? */
async function retrieveFrom(
  request: RetrieveRequest,
  where: { readonly named: boolean },
): Promise<readonly Retrieved[]> {
  const expected = [...request.expected.values()];
  const references = [...expected, ...request.known].map(({ namespace }) => namespace);
  const surveyed = await request.namespaces.survey(references, where);
  try {
    const contents = await readNamespaces(surveyed, request);
    const survey = new Survey(contents, request);
    const found = await survey.interfaces();
    await keepLeases(found, request);
    return found;
  } finally {
    for (const { lease } of surveyed) lease.release();
  }
}

/** As the desired value has it, when that means this namespace: there are several ways to write it. */
function referenceFor(contents: Contents, expected: Interface | undefined): NetNamespace | undefined {
  const desired = namespaceText(expected?.namespace);
  const isMeant = contents.references.some((reference) => namespaceText(reference) === desired);
  return isMeant ? expected?.namespace : contents.references[0];
}

/** A link together with the value it stands for. */
interface Match {
  readonly name: string;
  readonly contents: Contents;
  readonly link: Link;
  readonly type: LinkType | undefined;
  readonly expected: Interface | undefined;
  readonly unmarked?: boolean;
  /** A crash left it half-made, or it has the mark of a value that another link stands for. */
  readonly remains?: true;
}

class Survey implements FoundLinks {
  private readonly contents: readonly Contents[];
  private readonly request: RetrieveRequest;
  private readonly matches: readonly Match[];
  /** The interfaces that existed so far, by place. */
  private readonly known: ReadonlyMap<string, InterfaceMetadata>;
  /** The indexes of different namespaces overlap. */
  private readonly byIndex: ReadonlyMap<number, readonly Match[]>;
  private readonly byMaster: ReadonlyMap<number, readonly Match[]>;
  private readonly namespaceIds = new Map<string, Promise<number | undefined>>();

  constructor(contents: readonly Contents[], request: RetrieveRequest) {
    this.contents = contents;
    this.request = request;
    const known = request.known.map((each) => [linkId(each.namespaceIdentity, each.index), each] as const);
    this.known = new Map(known);
    const marked = this.unique(this.marked());
    this.matches = [...marked, ...this.configured(marked)];
    this.byIndex = groupBy(this.matches, ({ link }) => link.index);
    this.byMaster = groupBy(this.matches, ({ link }) => link.master ?? 0);
  }

  async interfaces(): Promise<readonly Retrieved[]> {
    const { only } = this.request;
    const desired = this.matches.filter(({ name }) => only?.has(interfaceKey(name)) ?? true);
    return Promise.all(desired.map((match) => this.describe(match)));
  }

  async linkedName({ link, handle }: FoundLink, index = link.link ?? 0): Promise<string | undefined> {
    const place = await this.placeOfLinked(link, handle);
    if (place === undefined) return undefined;
    const candidates = this.byIndex.get(index) ?? [];
    return candidates.find((other) => other.contents.handle === place)?.name ?? "";
  }

  membersOf({ link, handle }: FoundLink): readonly { readonly name: string; readonly link: Link }[] {
    const members = this.byMaster.get(link.index) ?? [];
    return members.filter(({ contents }) => contents.handle === handle);
  }

  /** The namespace that IFLA_LINK counts in; `undefined` when it was not looked into. */
  private async placeOfLinked(link: Link, handle: NamespaceHandle): Promise<NamespaceHandle | undefined> {
    if (link.linkNamespaceId === undefined) return handle;
    for (const { handle: other } of this.contents) {
      if (other !== handle && (await this.idOf(handle, other)) === link.linkNamespaceId) return other;
    }
    return undefined;
  }

  private idOf(from: NamespaceHandle, other: NamespaceHandle): Promise<number | undefined> {
    const pair = `${from.identity} ${other.identity}`;
    const id = this.namespaceIds.get(pair) ?? from.namespaceId(other);
    this.namespaceIds.set(pair, id);
    return id;
  }

  private marked(): Match[] {
    return this.contents.flatMap((contents) =>
      contents.links.flatMap((link): Match[] => {
        const marked = this.request.marker.nameIn(link.alias);
        const isUnfinished = marked === undefined && this.request.marker.isUnfinished(link);
        const name = marked ?? (isUnfinished ? undesiredName(contents, link) : this.unmarkedName(contents, link));
        if (name === undefined) return [];
        const type = linkTypeOfKind(link.kind ?? "");
        const expected = this.request.expected.get(interfaceKey(name));
        const unmarked = marked === undefined && !isUnfinished;
        return [{ name, contents, link, type, expected, unmarked, ...(isUnfinished ? { remains: true } : {}) }];
      }),
    );
  }

  /** The value of a link of ours that somebody has given another alias. */
  private unmarkedName({ handle }: Contents, link: Link): string | undefined {
    const known = this.known.get(linkId(handle.identity, link.index));
    const isTheSame =
      known?.ours === true && linkTypeOfKind(link.kind ?? "")?.type === known.type && isNamed(link, known.hostName);
    return isTheSame ? known.name : undefined;
  }

  /** Of the links with one mark, that where the value belongs stands for it, or else the one that did so far. */
  private unique(matches: readonly Match[]): readonly Match[] {
    const best = new Map<string, Match>();
    for (const match of matches) {
      const other = best.get(match.name);
      if (other === undefined || this.rank(match) > this.rank(other)) best.set(match.name, match);
    }
    if (best.size === matches.length) return matches;
    return matches.map((match) => {
      if (best.get(match.name) === match) return match;
      const name = undesiredName(match.contents, match.link);
      // When nobody wants a value of that name, each of them may be what somebody still wants.
      const isDesired = (match.expected ?? this.request.desired(match.name)) !== undefined;
      return { ...match, name, expected: undefined, ...(isDesired ? { remains: true } : {}) };
    });
  }

  private rank({ name, contents, link, expected }: Match): number {
    const desired = expected ?? this.request.desired(name);
    const place = namespaceText(desired?.namespace);
    const isInPlace = contents.references.some((reference) => namespaceText(reference) === place);
    const isKnown = this.known.get(linkId(contents.handle.identity, link.index))?.name === name;
    return (isInPlace ? 2 : 0) + (isKnown ? 1 : 0);
  }

  /** Desired values whose links somebody else made, and with `only` those that others may stand on or belong to. */
  private configured(marked: readonly Match[]): Match[] {
    const byReference = new Map<string, Contents>();
    for (const contents of this.contents) {
      for (const reference of contents.references) byReference.set(namespaceText(reference), contents);
    }
    const { expected: asked, known, desired } = this.request;
    const others = known.filter(({ name, ours }) => !ours && !asked.has(interfaceKey(name)));
    const values = [...asked.values(), ...others.flatMap(({ name }) => desired(name) ?? [])];
    const found = values.flatMap((expected): Match[] => {
      const type = linkTypeOf(expected);
      if (type === undefined || type.kinds !== undefined) return [];
      const contents = byReference.get(namespaceText(expected.namespace));
      const hostName = hostNameOf(expected, type);
      const link = contents?.links.find((each) => isNamed(each, hostName));
      if (contents === undefined || link === undefined) return [];
      return [{ name: expected.name ?? "", contents, link, type, expected }];
    });
    const taken = new Set(marked.map((match) => placeOfMatch(match)));
    // A link is one value's: of several that mean it, that which had it so far.
    const isKnown = (match: Match): boolean => this.known.get(placeOfMatch(match))?.name === match.name;
    return [...found.filter(isKnown), ...found.filter((match) => !isKnown(match) && this.isReady(match))].filter(
      (match) => !taken.has(placeOfMatch(match)) && taken.add(placeOfMatch(match)),
    );
  }

  /** One that waits for something is not there, even if its link is. */
  private isReady({ expected }: Match): boolean {
    return expected !== undefined && this.request.isReady(expected);
  }

  /** The VRF of ours that the link belongs to. */
  private vrfOf({ link, contents }: Match): Pick<Interface, "vrf_master_interface"> {
    if (link.slaveKind !== "vrf") return {};
    const masters = this.byIndex.get(link.master ?? 0) ?? [];
    const name = masters.find((other) => other.contents === contents)?.name;
    return name === undefined ? {} : { vrf_master_interface: name };
  }

  /** The addresses of ours. Those of a donor are no interface's own, and are told of once they are all there. */
  private addressesOf({ link, contents, expected }: Match): Pick<Interface, "ip_addresses" | "unnumbered"> {
    const desired = expected === undefined ? [] : allAddressesOf(expected, this.request.desired);
    const own = ownAddresses(contents.addresses.get(link.index) ?? [], desired);
    const donor = expected?.unnumbered;
    if (!donor) {
      const said = new Map(
        expected === undefined ? [] : interfaceAddresses(expected).map((each) => [each.address, each]),
      );
      const texts = own.map(([canonical, address]) => describeAddress(address, said.get(canonical)));
      return texts.length === 0 ? {} : { ip_addresses: texts };
    }
    const found = own.map(([canonical]) => canonical);
    const others = found.filter((address) => !desired.includes(address));
    const complete = desired.length > 0 && desired.every((address) => found.includes(address));
    return {
      ...(others.length === 0 ? {} : { ip_addresses: others }),
      ...(complete ? { unnumbered: donor } : {}),
    };
  }

  private async describe(match: Match): Promise<Retrieved> {
    const { name, contents, link, type, expected, remains } = match;
    const namespace = referenceFor(contents, expected);
    const addresses = this.addressesOf(match);
    const desiredName = expected === undefined ? link.name : hostNameOf(expected, type);
    const hostName = isNamed(link, desiredName) ? desiredName : link.name;
    const value: Interface = {
      name,
      ...(type === undefined ? {} : { type: type.type }),
      ...(namespace === undefined ? {} : { namespace }),
      ...(hostName === name ? {} : { host_if_name: hostName }),
      ...(link.up ? { enabled: true } : {}),
      ...addresses,
      ...hardwareAddressOf(link),
      mtu: link.mtu,
      ...this.vrfOf(match),
      ...(expected?.link_only ? { link_only: true } : {}),
      ...(await readLinkSettings(contents.handle, link.index, expected)),
      ...(await type?.decode?.({ link, handle: contents.handle }, this, expected)),
    };
    const metadata: InterfaceMetadata = {
      name,
      type: type?.type ?? "UNDEFINED",
      hostName,
      ours: type?.kinds !== undefined,
      index: link.index,
      ...(namespace === undefined ? {} : { namespace }),
      namespaceIdentity: contents.handle.identity,
    };
    const found = { key: interfaceKey(name), value, origin: "northbound", metadata } as const;
    return { ...found, ...(match.unmarked ? { unmarked: true } : {}), ...(remains ? { remains } : {}) };
  }
}

/** As the metadata's index `place` has it. */
function linkId(namespaceIdentity: string, index: number): string {
  return `${namespaceIdentity}/${index}`;
}

function placeOfMatch({ contents, link }: Match): string {
  return linkId(contents.handle.identity, link.index);
}

/** A name that nobody wants. */
function undesiredName({ handle }: Contents, { index }: Link): string {
  return `undesired:${handle.identity}:${index}`;
}

const MAC_ADDRESS = /^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/;

/** A tunnel's is that of its end, and no MAC address. */
function hardwareAddressOf(link: Link): Pick<Interface, "phys_address"> {
  const shown = ownAddressOf(link);
  return MAC_ADDRESS.test(shown) && !/^[0:]*$/.test(shown) ? { phys_address: shown } : {};
}

/** Ours by their mark; where the kernel keeps none (before Linux 5.18) those that the value asks for. Canonical. */
function ownAddresses(
  addresses: readonly Address[],
  expected: readonly string[],
): readonly (readonly [canonical: string, address: Address])[] {
  const desired = new Set(expected);
  return addresses.flatMap((address): readonly (readonly [string, Address])[] => {
    const canonical = canonicalInterfaceAddress(address.address) ?? address.address;
    return address.protocol === TENUTO_PROTOCOL || desired.has(canonical) ? [[canonical, address]] : [];
  });
}

async function keepLeases(found: readonly Retrieved[], { namespaces, leases }: RetrieveRequest): Promise<void> {
  await Promise.all(
    found.map(async ({ key, metadata }) => {
      if (metadata === undefined) return;
      if (leases.get(metadata.name)?.handle.identity === metadata.namespaceIdentity) return;
      leases.keep(metadata.name, await namespaces.acquire(metadata.namespace, key));
    }),
  );
}
