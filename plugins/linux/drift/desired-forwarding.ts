import type { Scheduler } from "#core/scheduler/api/scheduler.js";
import type { Forwarding } from "#plugins/netlink/index.js";
import {
  canonicalAddress,
  type ForwardingEntry,
  type ForwardingEntryRemote,
  parseForwardingKey,
} from "#proto/index.js";

/** NUD_* and NTF_* of linux/neighbour.h. */
const PERMANENT = 0x80;
const NOARP = 0x40;
const EXT_LEARNED = 0x10;
const STICKY = 0x40;

/** Keys of desired forwarding entries by their MAC address: of most addresses that a bridge hears there is none, and that is known at once. */
export class DesiredForwarding {
  private readonly keys = new Map<string, Set<string>>();

  constructor(private readonly scheduler: Pick<Scheduler, "desired">) {}

  /** The value under that key may have come to be desired, or not to be any more. */
  look(key: string): void {
    const { mac = "" } = parseForwardingKey(key) ?? {};
    const keys = this.keys.get(mac) ?? new Set();
    if (this.scheduler.desired(key) === undefined) keys.delete(key);
    else keys.add(key);
    if (keys.size === 0) this.keys.delete(mac);
    else this.keys.set(mac, keys);
  }

  /** Keys of the values that an event contradicts. `indexOf` gives the index of an interface, if it is in the event's namespace. */
  suspects(entry: Forwarding, deleted: boolean, indexOf: (name: string) => number | undefined): readonly string[] {
    const keys = this.keys.get(entry.linkAddress);
    if (keys === undefined) return [];
    return [...keys].filter((key) => {
      const value: ForwardingEntry | undefined = this.scheduler.desired(key);
      const index = value && indexOf(value.interface ?? "");
      return index !== undefined && value !== undefined && contradicts(entry, deleted, value, { index, indexOf });
    });
  }
}

/** The link of the value, and those that it names. */
interface Place {
  readonly index: number;
  readonly indexOf: (name: string) => number | undefined;
}

/** What the kernel leaves out because the VXLAN has it may be said in the value: that takes a closer look. */
function isEndOf(
  entry: Forwarding,
  { address = "", vni, port, via }: ForwardingEntryRemote,
  indexOf: Place["indexOf"],
) {
  return (
    canonicalAddress(address) === entry.destination &&
    (vni || undefined) === entry.vni &&
    (port || undefined) === entry.port &&
    (via ? indexOf(via) : undefined) === entry.via
  );
}

function contradicts(entry: Forwarding, deleted: boolean, value: ForwardingEntry, { index, indexOf }: Place): boolean {
  const { linkIndex, master, destination, state = 0, flags = 0 } = entry;
  // A bridge has an address behind one port: another one has taken it.
  if (linkIndex !== index) return !deleted && master !== undefined && (value.vlan ?? 0) === (entry.vlan ?? 0);
  if (deleted) return true;
  const isTaught = (flags & EXT_LEARNED) !== 0;
  if (isTaught !== Boolean(value.extern_learn)) return true;
  if (destination !== undefined) {
    const isEnd = value.remotes?.some((remote) => isEndOf(entry, remote, indexOf)) ?? false;
    return !isEnd || (state & PERMANENT) === 0;
  }
  if (master === undefined || master === linkIndex) return false;
  const isLocal = (state & PERMANENT) !== 0;
  const isSticky = (flags & STICKY) !== 0;
  return (
    isLocal !== Boolean(value.local) ||
    isSticky !== Boolean(value.sticky) ||
    (state & (NOARP | PERMANENT)) + (isTaught ? 1 : 0) === 0
  );
}
