import type { Address, Link, NamespaceHandle } from "#plugins/netlink/index.js";
import { interfaceKey, type NetNamespace } from "#proto/index.js";
import type { SurveyedNamespace } from "../namespaces/index.js";
import type { InterfaceMetadata } from "./interface-index.js";
import type { Marker } from "./marker.js";
import { linkTypeOfKind } from "./types/index.js";

/** What was read of a namespace. */
export interface Contents {
  /** Every way in which somebody refers to the namespace. */
  readonly references: readonly (NetNamespace | undefined)[];
  readonly handle: NamespaceHandle;
  readonly links: readonly Link[];
  readonly addresses: ReadonlyMap<number, readonly Address[]>;
}

/** Interfaces that are to be read, as they were when they were last looked at. */
export interface ReadSelection {
  readonly only: ReadonlySet<string> | undefined;
  readonly known: readonly InterfaceMetadata[];
  readonly marker: Marker;
}

/** So many interfaces are looked up each by itself: a dump costs as much as a few dozen of its links. */
const FEW = 8;

/** Everything in the namespaces; or, when a few interfaces are where they were, these with what they rest on and consist of. */
export async function readNamespaces(
  surveyed: readonly SurveyedNamespace[],
  suspects: ReadSelection,
): Promise<readonly Contents[]> {
  return (await readFew(surveyed, suspects)) ?? Promise.all(surveyed.map((each) => readAll(each)));
}

async function readAll({ references, lease: { handle } }: SurveyedNamespace): Promise<Contents> {
  const [links, addresses] = await Promise.all([handle.linkList(), handle.addrList()]);
  return { references, handle, links, addresses: groupBy(addresses, ({ linkIndex }) => linkIndex) };
}

/** `undefined` when they are many, or one is not where it was: then it may be anywhere. */
async function readFew(
  surveyed: readonly SurveyedNamespace[],
  { only, known, marker }: ReadSelection,
): Promise<readonly Contents[] | undefined> {
  if (only === undefined || only.size > FEW) return undefined;
  const suspects = known.filter(({ name, ours }) => ours && only.has(interfaceKey(name)));
  if (suspects.length < only.size) return undefined;
  const contents = await Promise.all(
    surveyed.map((each) => {
      const here = suspects.filter(({ namespaceIdentity }) => namespaceIdentity === each.lease.handle.identity);
      return readSome(each, here, marker);
    }),
  );
  const found = contents.flatMap((each) => each ?? []);
  const count = found.reduce((sum, { addresses }) => sum + addresses.size, 0);
  return found.length === contents.length && count === suspects.length ? found : undefined;
}

/** `undefined` when one of the interfaces is not there. Only their addresses are read, and those are there for each. */
async function readSome(
  { references, lease: { handle } }: SurveyedNamespace,
  suspects: readonly InterfaceMetadata[],
  marker: Marker,
): Promise<Contents | undefined> {
  const read = await Promise.all(
    suspects.map(async ({ name, index }) => {
      const [link, addresses] = await Promise.all([handle.linkByIndex(index), handle.addrList({ linkIndex: index })]);
      // Whether the index is another link's by now, the mark tells. Ends in other namespaces are found by looking there.
      const isThere = link !== undefined && marker.nameIn(link.alias) === name && link.linkNamespaceId === undefined;
      return isThere ? { link, addresses } : undefined;
    }),
  );
  const found = read.flatMap((each) => each ?? []);
  if (found.length < read.length) return undefined;
  const links = new Map(found.map(({ link }) => [link.index, link]));
  const others = await Promise.all(found.map(({ link }) => readRelated(handle, link)));
  for (const other of others.flat()) if (!links.has(other.index)) links.set(other.index, other);
  const addresses = new Map(found.map((each) => [each.link.index, each.addresses]));
  return { references, handle, links: [...links.values()], addresses };
}

/** The links that the value of a link names: what it stands on, its peer, its master, its ports. */
async function readRelated(handle: NamespaceHandle, link: Link): Promise<readonly Link[]> {
  const named = new Set([link.link ?? 0, link.master ?? 0, Number(link.data?.link ?? 0)]);
  named.delete(0);
  const hasMembers = linkTypeOfKind(link.kind ?? "")?.membership !== undefined;
  const [others, members] = await Promise.all([
    Promise.all([...named].map((index) => handle.linkByIndex(index))),
    hasMembers ? handle.linkList({ master: link.index }) : undefined,
  ]);
  return [...others.flatMap((other) => other ?? []), ...(members ?? [])];
}

export function groupBy<T>(items: readonly T[], keyOf: (item: T) => number): ReadonlyMap<number, readonly T[]> {
  const groups = new Map<number, T[]>();
  for (const item of items) {
    const group = groups.get(keyOf(item));
    if (group === undefined) groups.set(keyOf(item), [item]);
    else group.push(item);
  }
  return groups;
}
