import type { RetrievedValue } from "#core/scheduler/api/scheduler.js";
import type { Forwarding, Link, NamespaceHandle } from "#plugins/netlink/index.js";
import type { ForwardingEntry } from "#proto/index.js";
import type { Contest } from "../contest.js";
import type { InterfaceIndex } from "../interfaces/index.js";
import { bridgeOf, forwardingValue, vxlanFacts } from "./forwarding-kernel.js";
import type { ForwardingOwners } from "./forwarding-owners.js";
import { mayHaveSeveral, type PlainForwarding, plainForwarding } from "./forwarding-value.js";

export type RetrievedForwarding = RetrievedValue<ForwardingEntry, undefined>;

/** More links of one namespace than this are read in one go, with everything that its bridges have learned. */
const FEW_LINKS = 8;

export interface ForwardingReaderParts {
  readonly interfaces: InterfaceIndex;
  readonly owners: ForwardingOwners;
  readonly contest: Contest;
  /** Keys of values whose entry is somebody else's, or the kernel's. */
  readonly refused: ReadonlySet<string>;
  /** VLANs of a port. */
  readonly vlansOf: (name: string) => readonly number[];
}

interface Expected {
  readonly key: string;
  readonly value: PlainForwarding;
  readonly linkIndex: number;
}

/** Reads what the kernel has of the entries that are expected. What nobody expects cannot be told from what others made. */
export class ForwardingReader {
  constructor(private readonly parts: ForwardingReaderParts) {}

  async read(correlate: readonly RetrievedForwarding[]): Promise<readonly RetrievedForwarding[]> {
    const { interfaces, contest, refused } = this.parts;
    const places = new Map<NamespaceHandle, Expected[]>();
    for (const { key, value } of correlate) {
      const plain = plainForwarding(value);
      const metadata = interfaces.get(plain.interface);
      const handle = interfaces.namespaceOf(plain.interface);
      if (metadata === undefined || handle === undefined || contest.isOut(key) || refused.has(key)) continue;
      const expected = places.get(handle) ?? [];
      places.set(handle, expected);
      expected.push({ key, value: plain, linkIndex: metadata.index });
    }
    return (await Promise.all([...places].map(([handle, expected]) => this.readFrom(handle, expected)))).flat();
  }

  private async readFrom(
    handle: NamespaceHandle,
    expected: readonly Expected[],
  ): Promise<readonly RetrievedForwarding[]> {
    const indexes = [...new Set(expected.map(({ linkIndex }) => linkIndex))];
    const isFew = indexes.length <= FEW_LINKS;
    const [lists, links] = await Promise.all([
      Promise.all(isFew ? indexes.map((linkIndex) => handle.forwardingList({ linkIndex })) : [handle.forwardingList()]),
      isFew ? Promise.all(indexes.map((index) => handle.linkByIndex(index))) : handle.linkList(),
    ]);
    const byPlace = new Map<string, Forwarding[]>();
    for (const entry of lists.flat()) {
      const place = placeName(entry.linkIndex, entry.linkAddress);
      const here = byPlace.get(place);
      if (here === undefined) byPlace.set(place, [entry]);
      else here.push(entry);
    }
    const byIndex = new Map(links.flatMap((link) => (link === undefined ? [] : [[link.index, link] as const])));
    return expected.flatMap(({ key, value, linkIndex }) => {
      const link = byIndex.get(linkIndex);
      const entries = byPlace.get(placeName(linkIndex, value.mac)) ?? [];
      const found = link && this.valueOf(key, value, { handle, link, entries });
      return found === undefined ? [] : [{ key, value: found, origin: "northbound" as const }];
    });
  }

  private valueOf(
    key: string,
    value: PlainForwarding,
    { handle, link, entries }: { handle: NamespaceHandle; link: Link; entries: readonly Forwarding[] },
  ): ForwardingEntry | undefined {
    const { interfaces, owners, vlansOf } = this.parts;
    const vlans = value.master && value.vlan === 0 ? vlansOf(value.interface) : [];
    const nameOf = (index: number): string => interfaces.byIndex(handle.identity, index)?.name ?? `#${index}`;
    const found = { entries, link, vxlan: vxlanFacts(link), vlans, nameOf };
    const there = forwardingValue(value, found, mayHaveSeveral(value.mac));
    const bridge = there && bridgeOf(value, link);
    if (bridge !== undefined) owners.take(key, value, { identity: handle.identity, bridge }, vlans);
    return there;
  }
}

function placeName(linkIndex: number, mac: string): string {
  return `${linkIndex} ${mac}`;
}
