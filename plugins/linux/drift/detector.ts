import { isDeepStrictEqual } from "node:util";
import type { Scheduler } from "#core/scheduler/api/scheduler.js";
import type { Address, BridgeMember, Link, Neighbour, NetlinkEvent, Route, Rule } from "#plugins/netlink/index.js";
import {
  type ARPEntry,
  arpKey,
  canonicalAddress,
  canonicalInterfaceAddress,
  canonicalNetwork,
  type Interface,
  interfaceAddressKey,
  interfaceKey,
  parseRuleKey,
  ROUTE_PREFIX,
  ruleKey,
} from "#proto/index.js";
import {
  type InterfaceIndex,
  IPV6_MIN_MTU,
  interfacePortKey,
  isNamed,
  unnumberedAddressesKey,
} from "../interfaces/index.js";
import { TENUTO_PROTOCOL } from "../protocol.js";
import type { DesiredForwarding } from "./desired-forwarding.js";
import type { DesiredRoutes } from "./desired-routes.js";

/** NUD_PERMANENT of linux/neighbour.h. */
const PERMANENT = 0x80;

export interface DriftDetectorParts {
  readonly scheduler: Pick<Scheduler, "desired" | "statuses">;
  readonly interfaces: InterfaceIndex;
  readonly routes: DesiredRoutes;
  readonly forwarding: DesiredForwarding;
  /** Identity of the namespace that the events are from. */
  readonly identity: string;
}

/** What of a link somebody might change; what changes by itself (state, counters) is left out. */
type Settings = Pick<Link, "name" | "up" | "mtu" | "address" | "master" | "data" | "slaveKind" | "slaveData" | "alias">;

/**
 * Tells from the kernel's events of one namespace which desired values may not be as desired any more. Most events are about our own
 * work and fit what is desired; they name nobody. A suspicion may be wrong: reading what is there decides.
 */
export class DriftDetector {
  /** Of every link of the namespace that an event was about. */
  private readonly settings = new Map<number, Settings>();

  /** What their bridge has told of ports. */
  private readonly members = new Map<number, string>();

  constructor(private readonly parts: DriftDetectorParts) {}

  /** Keys of desired base values. */
  named(event: NetlinkEvent): readonly string[] {
    switch (event.type) {
      case "link":
        return this.byLink(event.link, event.deleted);
      case "bridge-member":
        return event.deleted ? [] : this.byMember(event.member);
      case "netconf":
        return event.deleted ? [] : this.bySettings(event.linkIndex);
      case "address":
        return event.deleted ? this.byLostAddress(event.address) : [];
      case "route":
        return this.byRoute(event.route, event.deleted);
      case "neighbour":
        return this.byNeighbour(event.neighbour, event.deleted);
      case "forwarding":
        return this.parts.forwarding.suspects(event.entry, event.deleted, (name) => this.indexOf(name));
      case "rule":
        return event.deleted ? this.byLostRule(event.rule) : [];
      default:
        return [];
    }
  }

  private byLink(link: Link, deleted: boolean): readonly string[] {
    const before = this.settings.get(link.index);
    const settings = settingsOf(link);
    if (deleted) {
      this.settings.delete(link.index);
      this.members.delete(link.index);
    } else this.settings.set(link.index, settings);
    const metadata = this.parts.interfaces.byIndex(this.parts.identity, link.index);
    if (metadata === undefined) return [];
    const key = interfaceKey(metadata.name);
    const desired: Interface | undefined = this.parts.scheduler.desired(key);
    if (desired === undefined) return [];
    const contradicts = link.up !== Boolean(desired.enabled) || !isNamed(link, metadata.hostName);
    const isAsBefore = before !== undefined && isDeepStrictEqual(pinned(before, desired), pinned(settings, desired));
    if (!deleted && !contradicts && isAsBefore && !choosesOffloads(desired)) return [];
    const wentDown = !link.up && (before?.up ?? true);
    return [
      key,
      ...this.byMembership(before, settings, desired),
      ...(wentDown && desired.enabled ? this.droppedWith(metadata.name) : []),
    ];
  }

  private bySettings(linkIndex: number): readonly string[] {
    const name = this.nameOf(linkIndex);
    const key = interfaceKey(name ?? "");
    const desired: Interface | undefined = name === undefined ? undefined : this.parts.scheduler.desired(key);
    return desired?.ipv4 === undefined && desired?.ipv6 === undefined ? [] : [key];
  }

  /** Neither VLANs nor settings that are made with `bridge` are told with the link. Ports are parts of their bridge. */
  private byMember({ linkIndex, master, data, vlans }: BridgeMember): readonly string[] {
    const name = this.nameOf(master);
    if (name === undefined) return [];
    const { state: _state, ...settings } = data;
    const now = JSON.stringify([master, settings, vlans]);
    const before = this.members.get(linkIndex);
    this.members.set(linkIndex, now);
    return before === now ? [] : [interfaceKey(name)];
  }

  /** Ports are parts of their master: of the one that the link has left, of one that does not want it, or wants it to be otherwise. */
  private byMembership(
    before: Settings | undefined,
    after: Settings,
    { name = "", vrf_master_interface: vrf }: Interface,
  ) {
    const stays = before !== undefined && before.master === after.master;
    const joined = after.master === undefined ? undefined : this.nameOf(after.master);
    const isDesired = (master: string): boolean =>
      master === vrf || this.parts.scheduler.desired(interfacePortKey(master, name)) !== undefined;
    const left = stays || before?.master === undefined ? undefined : this.nameOf(before.master);
    const differs =
      joined !== undefined && (stays ? !isDeepStrictEqual(before.slaveData, after.slaveData) : !isDesired(joined));
    return [left, differs ? joined : undefined].flatMap((master) => (master === undefined ? [] : interfaceKey(master)));
  }

  /**
   * With a link that goes down, if only for a moment, and with the last IPv4 address of a link the kernel drops its IPv4 routes and tells
   * nobody (net/ipv4/fib_frontend.c, fib_disable_ip). Everything else that it drops it tells.
   */
  private droppedWith(name: string): readonly string[] {
    return this.parts.routes.through(name).filter((key) => !key.slice(ROUTE_PREFIX.length).includes(":"));
  }

  /** With an address routes lose it as their preferred source: IPv6 ones without a word (net/ipv6/route.c, rt6_remove_prefsrc). */
  private byLostAddress({ linkIndex, address }: Address): readonly string[] {
    const canonical = canonicalInterfaceAddress(address) ?? address;
    const routes = this.parts.routes.from(canonical.slice(0, canonical.indexOf("/")));
    const name = this.nameOf(linkIndex);
    if (name === undefined) return routes;
    const meant = [interfaceAddressKey(name, canonical), unnumberedAddressesKey(name)];
    const isDesired = meant.some((key) => this.parts.scheduler.desired(key) !== undefined);
    if (!isDesired) return routes;
    const dropped = canonical.includes(":") ? [] : this.droppedWith(name);
    return [interfaceKey(name), ...routes, ...dropped];
  }

  /** When another program replaces our route, the kernel's event does not mention ours. */
  private byRoute({ destination, protocol }: Route, deleted: boolean): readonly string[] {
    if ((protocol === TENUTO_PROTOCOL) !== deleted) return [];
    return this.parts.routes.to(canonicalNetwork(destination) ?? destination);
  }

  private byNeighbour({ linkIndex, address, linkAddress, state = 0 }: Neighbour, deleted: boolean): readonly string[] {
    const name = this.nameOf(linkIndex);
    if (name === undefined) return [];
    const key = arpKey(name, canonicalAddress(address) ?? address);
    const desired: ARPEntry | undefined = this.parts.scheduler.desired(key);
    if (desired === undefined) return [];
    const same = (state & PERMANENT) !== 0 && linkAddress === desired.hw_address?.toLowerCase();
    return deleted || !same ? [key] : [];
  }

  private byLostRule({ protocol, priority, family }: Rule): readonly string[] {
    if (protocol !== TENUTO_PROTOCOL) return [];
    // In whichever namespace they are.
    return this.parts.scheduler
      .statuses(ruleKey(priority, { family: family === "inet6" ? "IPV6" : "IPV4" }))
      .flatMap(({ key }) => (parseRuleKey(key)?.priority === priority ? [key] : []));
  }

  /** `undefined` for an interface that is not in this namespace. */
  private indexOf(name: string): number | undefined {
    const metadata = this.parts.interfaces.get(name);
    return metadata?.namespaceIdentity === this.parts.identity ? metadata.index : undefined;
  }

  private nameOf(linkIndex: number): string | undefined {
    return this.parts.interfaces.byIndex(this.parts.identity, linkIndex)?.name;
  }
}

/** Offloads are told of by an event in which nothing seems to have changed. */
function choosesOffloads({ veth }: Interface): boolean {
  const { rx_checksum_offloading: rx = "DEFAULT", tx_checksum_offloading: tx = "DEFAULT" } = veth ?? {};
  return rx !== "DEFAULT" || tx !== "DEFAULT";
}

/** An MTU that the value leaves to the kernel is not looked at, unless it keeps IPv6 away. */
function pinned(settings: Settings, { mtu }: Interface): Settings {
  return mtu ? settings : { ...settings, mtu: Math.min(settings.mtu, IPV6_MIN_MTU) };
}

function settingsOf({ name, up, mtu, address, master, data, slaveKind, slaveData: slave, alias }: Link): Settings {
  // The state of a port follows its carrier and the spanning tree.
  const { state: _state, ...slaveData } = slave ?? {};
  return {
    name,
    up,
    mtu,
    address,
    ...(master === undefined ? {} : { master }),
    ...(data === undefined ? {} : { data }),
    ...(slaveKind === undefined ? {} : { slaveKind }),
    slaveData,
    ...(alias === undefined ? {} : { alias }),
  };
}
