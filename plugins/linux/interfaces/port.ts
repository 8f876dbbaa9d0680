import { SouthboundError } from "#core/errors.js";
import type { Dependency, Descriptor, KeyedValue, Scheduler } from "#core/scheduler/api/scheduler.js";
import { type Interface, type InterfaceType, interfaceKey, type NetNamespace } from "#proto/index.js";
import {
  INTERFACE_PORT_PREFIX,
  INTERFACE_VLANS_PREFIX,
  interfaceAttachmentKey,
  interfacePortKey,
  parseInterfaceVlansKey,
} from "./derived-keys.js";
import type { InterfaceIndex } from "./interface-index.js";
import type { MemberLinks, Membership } from "./link-type.js";
import { leaveMaster, linksOf } from "./member-links.js";
import { linkTypeOf } from "./types/index.js";

/** A port of a bridge or bond, derived from the value of that. */
export interface InterfacePort {
  /** Logical names. */
  readonly master: string;
  readonly interface: string;
  /** Type and namespace of the master. */
  readonly type: InterfaceType;
  readonly namespace?: NetNamespace;
  readonly settings: object;
}

export function portsOf(value: Interface): readonly KeyedValue[] {
  const { name = "", type, namespace } = value;
  if (type === undefined) return [];
  const members = linkTypeOf(value)?.membership?.membersOf(value) ?? [];
  return members.map(({ interface: member, settings }) => {
    const port: InterfacePort = {
      master: name,
      interface: member,
      type,
      ...(namespace === undefined ? {} : { namespace }),
      settings,
    };
    return { key: interfacePortKey(name, member), value: port };
  });
}

/** Ports wait for their interface, and leave when that goes. What joining means is the business of the master's type. */
export class InterfacePortDescriptor implements Descriptor<InterfacePort, undefined> {
  readonly name = "linux-interface-port";
  readonly prefix = INTERFACE_PORT_PREFIX;

  constructor(
    private readonly interfaces: InterfaceIndex,
    private readonly scheduler: Pick<Scheduler, "desired">,
  ) {}

  dependencies(_key: string, { interface: member }: InterfacePort): readonly Dependency[] {
    return [{ label: `interface ${member}`, key: interfaceAttachmentKey(member) }];
  }

  derivedValues(_key: string, port: InterfacePort): readonly KeyedValue[] {
    return membershipOf(port).derivedValues?.(port.interface, port.settings) ?? [];
  }

  /** An interface is a port of one master at a time. */
  claims(_key: string, port: InterfacePort): readonly string[] {
    const among = membershipOf(port).claims?.(port.settings) ?? [];
    return [`master of ${port.interface}`, ...among.map((claim) => `${claim} of ${port.master}`)];
  }

  equivalent(_key: string, a: InterfacePort, b: InterfacePort): boolean {
    return a.type === b.type && membershipOf(b).same(a.settings, b.settings);
  }

  async create(_key: string, port: InterfacePort): Promise<undefined> {
    const links = await this.linksOf(port);
    this.checkFree(port, links);
    await membershipOf(port).join(links, port.settings);
  }

  updateWithRecreate(_key: string, before: InterfacePort, after: InterfacePort): boolean {
    const membership = membershipOf(after);
    if (before.type !== after.type || membership.change === undefined) return true;
    return membership.rejoins?.(before.settings, after.settings) ?? false;
  }

  async update(_key: string, before: InterfacePort, after: InterfacePort): Promise<undefined> {
    await membershipOf(after).change?.(await this.linksOf(after), before.settings, after.settings);
  }

  async delete(_key: string, port: InterfacePort): Promise<void> {
    await leaveMaster(
      () => this.linksOf(port),
      (links) => membershipOf(port).leave(links, port.settings),
    );
  }

  private linksOf({ master, interface: member }: InterfacePort): Promise<MemberLinks> {
    return linksOf(this.interfaces, this.scheduler, member, master);
  }

  /** Throws when another of our interfaces has the port and wants to keep it. */
  private checkFree({ master, interface: member }: InterfacePort, { handle, link }: MemberLinks): void {
    if (link.master === undefined) return;
    const owner = this.interfaces.byIndex(handle.identity, link.master)?.name;
    if (owner === undefined || owner === master) return;
    const desired: Interface | undefined = this.scheduler.desired(interfaceKey(owner));
    const keeps = desired !== undefined && portsOf(desired).some(({ key }) => key === interfacePortKey(owner, member));
    const own: Interface | undefined = this.scheduler.desired(interfaceKey(member));
    if (!keeps && own?.vrf_master_interface !== owner) return;
    const message = `${member} cannot be a port of ${master}: it belongs to ${owner} already`;
    throw new SouthboundError("EBUSY", message, { field: "ports" });
  }
}

/** VLANs that an interface has as a port of a bridge of ours, or as such a bridge. */
export function vlansOfInterface(
  name: string,
  interfaces: InterfaceIndex,
  scheduler: Pick<Scheduler, "desired">,
): readonly number[] {
  const own: Interface | undefined = scheduler.desired(interfaceKey(name));
  const ofPorts = interfaces.all().flatMap(({ name: master, type }) => {
    const desired = type === "BRIDGE" ? scheduler.desired(interfacePortKey(master, name)) : undefined;
    const port = desired as InterfacePort | undefined;
    return port === undefined ? [] : (membershipOf(port).derivedValues?.(name, port.settings) ?? []);
  });
  const ofBridge = own?.type === "BRIDGE" ? (linkTypeOf(own)?.derivedValues?.(own) ?? []) : [];
  return [...ofPorts, ...ofBridge].flatMap(({ key }) => {
    const { first = 1, last = 0 } = parseInterfaceVlansKey(key) ?? {};
    return Array.from({ length: last - first + 1 }, (_, each) => first + each);
  });
}

/** VLANs of a port, or of a bridge itself: there is nothing to do for them. */
export class InterfaceVlansDescriptor implements Descriptor {
  readonly name = "linux-interface-vlans";
  readonly prefix = INTERFACE_VLANS_PREFIX;
}

function membershipOf({ type }: InterfacePort): Membership {
  const membership = linkTypeOf({ type })?.membership;
  if (membership === undefined) throw new SouthboundError("EOPNOTSUPP", `an interface of type ${type} has no ports`);
  return membership;
}
