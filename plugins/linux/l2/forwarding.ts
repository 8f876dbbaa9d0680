import { isDeepStrictEqual } from "node:util";
import { InvalidInputError, SouthboundError } from "#core/errors.js";
import type { Dependency, Descriptor, InvalidField, RetrievedValue, Scheduler } from "#core/scheduler/api/scheduler.js";
import type { Forwarding, Link, NamespaceHandle } from "#plugins/netlink/index.js";
import { FORWARDING_PREFIX, type ForwardingEntry } from "#proto/index.js";
import type { Contest } from "../contest.js";
import { INTERFACE_DESCRIPTOR, type InterfaceIndex, vlansOfInterface } from "../interfaces/index.js";
import { isCode } from "../namespaces/index.js";
import { forwardingDependencies } from "./forwarding-dependencies.js";
import {
  bridgeEntry,
  bridgeOf,
  isOfLinkItself,
  isOwnEnd,
  ownEntry,
  remoteEntry,
  type VxlanFacts,
  vxlanFacts,
} from "./forwarding-kernel.js";
import { ForwardingOwners } from "./forwarding-owners.js";
import { ForwardingReader, type RetrievedForwarding } from "./forwarding-retrieval.js";
import { validateForwarding } from "./forwarding-validation.js";
import {
  isGroup,
  mayHaveSeveral,
  type PlainForwarding,
  type PlainRemote,
  plainForwarding,
  remoteName,
} from "./forwarding-value.js";

/** What removing an entry says when it is gone already: with its link, its port's membership or VLAN, or the link that it leads by. */
const GONE = ["ENOENT", "ENODEV", "ESRCH", "EINVAL", "EOPNOTSUPP", "EADDRNOTAVAIL"] as const;

/** Of a value that the kernel cannot tell from another one. */
export const SAME_ENTRY = "SAME_FORWARDING_ENTRY";
/** Of a value that says what the table of its interface does not have. */
const NO_SUCH_TABLE = "NO_SUCH_TABLE";

export interface ForwardingDescriptorParts {
  readonly interfaces: InterfaceIndex;
  readonly scheduler: Pick<Scheduler, "desired" | "statuses">;
  readonly contest: Contest;
}

/** Where the entry's link is, and what it is. */
interface Target {
  readonly handle: NamespaceHandle;
  readonly link: Link;
  readonly vxlan: VxlanFacts | undefined;
}

/** Parts of a value, each an entry of its own for the kernel. */
interface Parts extends Pick<PlainForwarding, "master" | "remotes"> {
  /** In the link's own table, for itself. */
  readonly hasOwn: boolean;
}

/**
 * Static entries of forwarding tables: of bridges, and of VXLANs, whose other ends they are. The kernel has no room for a mark in them: an entry
 * is ours while a value names it, and others, learned ones above all, are left alone.
 */
export class ForwardingDescriptor implements Descriptor<ForwardingEntry, undefined> {
  readonly name = "linux-forwarding";
  readonly prefix = FORWARDING_PREFIX;
  readonly retrieveAfter = [INTERFACE_DESCRIPTOR];
  private readonly owners = new ForwardingOwners();
  private readonly reader: ForwardingReader;
  /** Keys of values that were not made: what is there, of the kernel or of others, must not go with them. */
  private readonly refused = new Set<string>();

  constructor(private readonly parts: ForwardingDescriptorParts) {
    const { interfaces, contest } = parts;
    const owners = this.owners;
    this.reader = new ForwardingReader({
      interfaces,
      owners,
      contest,
      refused: this.refused,
      vlansOf: (name) => this.vlansOf(name),
    });
  }

  validate(_key: string, value: ForwardingEntry): readonly InvalidField[] {
    return validateForwarding(value);
  }

  dependencies(_key: string, value: ForwardingEntry): readonly Dependency[] {
    return forwardingDependencies(plainForwarding(value), this.parts.scheduler);
  }

  /** So that an entry of a bridge goes from one port before it comes to another. */
  claims(_key: string, value: ForwardingEntry): readonly string[] {
    const { mac, vlan } = plainForwarding(value);
    return [`${mac} ${vlan}`];
  }

  equivalent(_key: string, a: ForwardingEntry, b: ForwardingEntry): boolean {
    return isDeepStrictEqual(plainForwarding(a), plainForwarding(b));
  }

  async create(key: string, value: ForwardingEntry): Promise<undefined> {
    try {
      await this.put(key, value, undefined);
      this.refused.delete(key);
    } catch (error) {
      if (isCode(error, "EEXIST") || error instanceof InvalidInputError) this.refused.add(key);
      throw error;
    }
  }

  /** Only a removal makes the kernel forget that an entry was taught. */
  updateWithRecreate(_key: string, oldValue: ForwardingEntry, newValue: ForwardingEntry): boolean {
    return Boolean(oldValue.extern_learn) !== Boolean(newValue.extern_learn);
  }

  async update(key: string, oldValue: ForwardingEntry, newValue: ForwardingEntry): Promise<undefined> {
    await this.put(key, newValue, oldValue);
  }

  async delete(key: string, value: ForwardingEntry): Promise<void> {
    const plain = plainForwarding(value);
    const target = await this.find(plain.interface);
    if (target !== undefined) await this.remove(plain, { ...plain, hasOwn: hasOwn(plain) }, target);
    this.owners.drop(key);
    this.refused.delete(key);
  }

  retrieve(
    correlate: readonly RetrievedForwarding[],
    only?: ReadonlySet<string>,
  ): Promise<readonly RetrievedValue<ForwardingEntry, undefined>[]> {
    return this.reader.read(only === undefined ? correlate : correlate.filter(({ key }) => only.has(key)));
  }

  private async put(key: string, value: ForwardingEntry, before: ForwardingEntry | undefined): Promise<void> {
    const [now, was] = [plainForwarding(value), before && plainForwarding(before)];
    const target = await this.find(now.interface);
    if (target === undefined) throw gone(key, "interface", now.interface);
    checkTable(key, now, target);
    this.take(key, now, target);
    try {
      // First what may be refused: nothing is left of a value that cannot be made.
      await this.putEnds(key, now, was, target);
      if (now.master) await this.putInBridge(key, now, target);
      if (now.self && now.remotes.length === 0 && !hasOwn(was)) await this.putOwn(key, now, target);
    } catch (error) {
      if (was === undefined) {
        await this.remove(now, { master: false, hasOwn: false, remotes: now.remotes }, target);
        this.owners.drop(key);
      }
      throw error;
    }
    this.parts.contest.won(key);
    if (was !== undefined) await this.remove(was, whatGoes(was, now), target);
  }

  private async putInBridge(key: string, value: PlainForwarding, { handle, link }: Target): Promise<void> {
    const entry = bridgeEntry(value, link.index);
    try {
      await handle.forwardingAdd(entry);
    } catch (error) {
      if (!isCode(error, "EEXIST") || link.master === undefined) throw error;
      const { linkAddress, vlan } = entry;
      const found = await handle.forwardingGet({
        master: link.master,
        linkAddress,
        ...(vlan === undefined ? {} : { vlan }),
      });
      const port = found && (await handle.linkByIndex(found.linkIndex));
      if (found !== undefined && port !== undefined && isOfLinkItself(found, port)) {
        const message = `hw_address: ${linkAddress} is the address of a port itself, which the kernel has an entry for`;
        throw new SouthboundError("EEXIST", `${key}: ${message}`, { key, field: "hw_address" });
      }
      await handle.forwardingSet(entry);
    }
  }

  private async putOwn(key: string, value: PlainForwarding, { handle, link }: Target): Promise<void> {
    try {
      await handle.forwardingAdd(ownEntry(value, link.index));
    } catch (error) {
      if (!isCode(error, "EEXIST")) throw error;
      const message = `hw_address: ${value.interface} takes packets for ${value.mac} already, by the kernel's or somebody else's choice`;
      throw new SouthboundError("EEXIST", `${key}: ${message}`, { key, field: "hw_address" });
    }
  }

  private async putEnds(
    key: string,
    now: PlainForwarding,
    was: PlainForwarding | undefined,
    target: Target,
  ): Promise<void> {
    const several = mayHaveSeveral(now.mac);
    const had = new Set(was?.remotes.map(remoteName));
    const fresh = several ? now.remotes.filter((remote) => !had.has(remoteName(remote))) : now.remotes;
    const { handle, link } = target;
    const requests = fresh.map((remote) => {
      const via = this.indexOf(remote, handle);
      if (remote.via !== "" && via === undefined) throw gone(key, "remotes", remote.via);
      return remoteEntry(now, remote, { linkIndex: link.index, via });
    });
    await Promise.all(
      requests.map((request) => (several ? handle.forwardingAppend(request) : handle.forwardingSet(request))),
    );
  }

  /** Removes parts of what a value has. What the kernel has by itself stays. */
  private async remove(value: PlainForwarding, parts: Parts, { handle, link, vxlan }: Target): Promise<void> {
    const entries: Forwarding[] = [];
    if (parts.master) entries.push(bridgeEntry(value, link.index));
    if (parts.hasOwn) entries.push(ownEntry(value, link.index));
    for (const remote of parts.remotes) {
      const via = this.indexOf(remote, handle);
      if (isOwnEnd(remote, via, vxlan)) continue;
      entries.push(remoteEntry(value, remote, { linkIndex: link.index, via }));
    }
    await Promise.all(entries.map((entry) => unlessGone(handle.forwardingDel(entry))));
  }

  private take(key: string, value: PlainForwarding, { handle, link }: Target): void {
    const bridge = bridgeOf(value, link);
    if (bridge === undefined) return;
    const place = { identity: handle.identity, bridge };
    const vlans = value.vlan === 0 ? this.vlansOf(value.interface) : [];
    const rival = this.owners.take(key, value, place, vlans);
    if (rival === undefined) return;
    this.parts.contest.lost(key, rival);
    const message = `${rival} is the same entry of the bridge: an address is behind one port of it; delete one of them`;
    throw new InvalidInputError(SAME_ENTRY, `${key}: ${message}`, { key, field: "interface" });
  }

  private async find(name: string): Promise<Target | undefined> {
    const metadata = this.parts.interfaces.get(name);
    const handle = this.parts.interfaces.namespaceOf(name);
    const link = metadata === undefined ? undefined : await handle?.linkByIndex(metadata.index);
    return link === undefined || handle === undefined ? undefined : { handle, link, vxlan: vxlanFacts(link) };
  }

  /** The link that the packets leave by. One in another namespace is none. */
  private indexOf({ via }: PlainRemote, { identity }: NamespaceHandle): number | undefined {
    const metadata = this.parts.interfaces.get(via);
    return metadata?.namespaceIdentity === identity ? metadata.index : undefined;
  }

  private vlansOf(name: string): readonly number[] {
    return vlansOfInterface(name, this.parts.interfaces, this.parts.scheduler);
  }
}

function hasOwn(value: PlainForwarding | undefined): boolean {
  return value?.self === true && value.remotes.length === 0;
}

/** What of a value another one does not have. The one end of an address has been replaced. */
function whatGoes(before: PlainForwarding, after: PlainForwarding): Parts {
  const stays = new Set(after.remotes.map(remoteName));
  const isReplaced = after.remotes.length > 0 && !mayHaveSeveral(before.mac);
  return {
    master: before.master && !after.master,
    hasOwn: hasOwn(before) && !hasOwn(after),
    remotes: isReplaced ? [] : before.remotes.filter((remote) => !stays.has(remoteName(remote))),
  };
}

/** What the kernel would take and forget, or refuse without saying why. */
function checkTable(key: string, value: PlainForwarding, { link, vxlan }: Target): void {
  const refuse = (field: string, problem: string): never => {
    throw new InvalidInputError(NO_SUCH_TABLE, `${key}: ${field}: ${problem}`, { key, field });
  };
  const { interface: name, remotes, self, sourceVni, vlan } = value;
  if (remotes.length > 0 && vxlan === undefined) refuse("remotes", `${name} is no VXLAN, and has no other ends`);
  if (self && remotes.length === 0 && vxlan !== undefined)
    refuse("remotes", `is empty, and ${name} is a VXLAN: its table has nothing else`);
  if (sourceVni > 0 && vxlan?.hasManyNetworks === false)
    refuse("src_vni", `${name} has one network only: it lacks collect_metadata`);
  // Of the addresses of groups the kernel has some itself, and does not count who else wants them (dev_mc_add_excl).
  if (self && remotes.length === 0 && isGroup(value.mac) && link.kind !== "bridge")
    refuse(
      "hw_address",
      `${value.mac} is the address of a group, which cannot be told from the kernel's own in the filter of ${name}`,
    );
  if (self && vlan > 0 && link.kind !== "bridge")
    refuse("vlan", `the table of ${name} has no VLANs; that of a bridge has`);
}

function gone(key: string, field: string, name: string): SouthboundError {
  return new SouthboundError("ENODEV", `${key}: ${field}: interface ${name} is not there`, { key, field });
}

async function unlessGone(work: Promise<void>): Promise<void> {
  try {
    await work;
  } catch (error) {
    if (!isCode(error, ...GONE)) throw error;
  }
}
