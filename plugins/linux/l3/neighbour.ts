import { SouthboundError } from "#core/errors.js";
import type { Dependency, Descriptor, InvalidField, RetrievedValue } from "#core/scheduler/api/scheduler.js";
import type { NamespaceHandle, Neighbour } from "#plugins/netlink/index.js";
import {
  ARP_PREFIX,
  type ARPEntry,
  arpKey,
  canonicalAddress,
  type InterfaceType,
  interfaceKey,
  interfaceStateKey,
} from "#proto/index.js";
import { INTERFACE_DESCRIPTOR, type InterfaceIndex } from "../interfaces/index.js";
import { isCode } from "../namespaces/index.js";
import { TENUTO_PROTOCOL } from "../protocol.js";
import { namespacesInUse, outgoingLink } from "./outgoing-link.js";

/** NUD_PERMANENT of linux/neighbour.h: never asked for, never forgotten. */
const PERMANENT = 0x80;

/** NTF_PROXY of linux/neighbour.h. */
const PROXY = 0x08;

const HARDWARE_ADDRESS = /^[0-9a-f]{2}(:[0-9a-f]{2}){3,19}$/i;
/** Bytes of the addresses of links: the kernel refuses one that is shorter than the link's (net/core/neighbour.c, neigh_add), and cuts a longer one. */
const LENGTHS: ReadonlySet<number> = new Set([4, 6, 8, 16, 20]);

/** IFF_LOOPBACK and IFF_POINTOPOINT of linux/if.h: whatever is asked for, the kernel enters 0.0.0.0 (arp_constructor in net/ipv4/arp.c). */
const WITHOUT_NEIGHBOURS = 0x08 | 0x10;

/** Types whose links may be so. */
const MAYBE_WITHOUT: ReadonlySet<InterfaceType> = new Set(["LOOPBACK", "TAP", "EXISTING", "GRE", "WIREGUARD"]);

/**
 * Static neighbour entries, IPv4 and IPv6, and addresses that the host answers for, marked as ours by NDA_PROTOCOL. The kernel drops both when
 * the link goes down, and tells nobody of the latter (pneigh_lookup and pneigh_delete in net/core/neighbour.c).
 */
export class NeighbourDescriptor implements Descriptor<ARPEntry, undefined> {
  readonly name = "linux-neighbour";
  readonly prefix = ARP_PREFIX;
  readonly retrieveAfter = [INTERFACE_DESCRIPTOR];

  constructor(private readonly interfaces: InterfaceIndex) {}

  validate(_key: string, value: ARPEntry): readonly InvalidField[] {
    const problems: InvalidField[] = [];
    if (!value.interface) problems.push({ field: "interface", problem: "is missing" });
    if (canonicalAddress(value.ip_address ?? "") === undefined) {
      const problem = `is "${value.ip_address ?? ""}", expected an address without prefix length such as 10.0.0.1`;
      problems.push({ field: "ip_address", problem });
    }
    if (value.proxy) {
      // net/core/neighbour.c, neigh_add, has no use for it.
      if (value.hw_address)
        problems.push({ field: "hw_address", problem: "is set, but the host answers with its own" });
    } else if (!isHardwareAddress(value.hw_address ?? "")) {
      const problem = `is "${value.hw_address ?? ""}", expected a MAC address such as 02:00:00:00:00:01`;
      problems.push({ field: "hw_address", problem });
    }
    return problems;
  }

  dependencies(_key: string, value: ARPEntry): readonly Dependency[] {
    const name = value.interface ?? "";
    return [
      { label: `interface ${name}`, key: interfaceKey(name) },
      { label: `interface ${name} to be up`, key: interfaceStateKey(name, true) },
    ];
  }

  equivalent(_key: string, a: ARPEntry, b: ARPEntry): boolean {
    return (
      a.interface === b.interface &&
      Boolean(a.proxy) === Boolean(b.proxy) &&
      canonicalAddress(a.ip_address ?? "") === canonicalAddress(b.ip_address ?? "") &&
      (a.hw_address ?? "").toLowerCase() === (b.hw_address ?? "").toLowerCase()
    );
  }

  async create(key: string, value: ARPEntry): Promise<undefined> {
    const { interface: name = "", ip_address: address = "", proxy } = value;
    const { handle, index } = outgoingLink(this.interfaces, name, key, "interface");
    if (!proxy && !address.includes(":") && MAYBE_WITHOUT.has(this.interfaces.get(name)?.type ?? "UNDEFINED")) {
      const { flags = 0 } = (await handle.linkByIndex(index)) ?? {};
      if ((flags & WITHOUT_NEIGHBOURS) !== 0) throw withoutNeighbours(name);
    }
    await handle.neighSet(kernelNeighbour(value, index));
  }

  async update(key: string, _oldValue: ARPEntry, newValue: ARPEntry): Promise<undefined> {
    await this.create(key, newValue);
  }

  async delete(_key: string, value: ARPEntry): Promise<void> {
    const metadata = this.interfaces.get(value.interface ?? "");
    const handle = this.interfaces.namespaceOf(value.interface ?? "");
    if (metadata === undefined || handle === undefined) return;
    try {
      await handle.neighDel({
        linkIndex: metadata.index,
        address: canonicalAddress(value.ip_address ?? "") ?? "",
        ...(value.proxy ? { flags: PROXY } : {}),
      });
    } catch (error) {
      if (!isCode(error, "ENOENT", "ENODEV", "ENXIO")) throw error;
    }
  }

  async retrieve(
    correlate: readonly RetrievedValue<ARPEntry, undefined>[],
  ): Promise<readonly RetrievedValue<ARPEntry, undefined>[]> {
    const expected = new Set(correlate.map(({ key }) => key));
    const places = namespacesInUse(this.interfaces);
    return (await Promise.all(places.map((handle) => this.retrieveFrom(handle, expected)))).flat();
  }

  private async retrieveFrom(
    handle: NamespaceHandle,
    expected: ReadonlySet<string>,
  ): Promise<readonly RetrievedValue<ARPEntry, undefined>[]> {
    const [neighbours, proxies] = await Promise.all([handle.neighList(), handle.neighList({ proxy: true })]);
    return [...neighbours.filter(isPermanent), ...proxies].flatMap(
      (neighbour): RetrievedValue<ARPEntry, undefined>[] => {
        const name = this.interfaces.byIndex(handle.identity, neighbour.linkIndex)?.name;
        if (name === undefined) return [];
        const ipAddress = canonicalAddress(neighbour.address) ?? neighbour.address;
        const proxy = ((neighbour.flags ?? 0) & PROXY) !== 0;
        const key = arpKey(name, ipAddress, { proxy });
        if (neighbour.protocol !== TENUTO_PROTOCOL && !expected.has(key)) return [];
        const rest = proxy ? { proxy } : { hw_address: neighbour.linkAddress ?? "" };
        const value: ARPEntry = { interface: name, ip_address: ipAddress, ...rest };
        return [{ key, value, origin: "northbound" }];
      },
    );
  }
}

function isHardwareAddress(text: string): boolean {
  return HARDWARE_ADDRESS.test(text) && LENGTHS.has((text.length + 1) / 3);
}

function kernelNeighbour(value: ARPEntry, linkIndex: number): Neighbour {
  if (value.proxy) {
    const address = canonicalAddress(value.ip_address ?? "") ?? "";
    return { linkIndex, address, flags: PROXY, state: 0, protocol: TENUTO_PROTOCOL };
  }
  return {
    linkIndex,
    address: canonicalAddress(value.ip_address ?? "") ?? "",
    linkAddress: (value.hw_address ?? "").toLowerCase(),
    state: PERMANENT,
    protocol: TENUTO_PROTOCOL,
  };
}

function isPermanent({ state }: Neighbour): boolean {
  return ((state ?? 0) & PERMANENT) !== 0;
}

function withoutNeighbours(name: string): SouthboundError {
  const message = `${name} is a loopback or leads to one place only, and has no IPv4 neighbours`;
  return new SouthboundError("EOPNOTSUPP", message, { field: "interface" });
}
