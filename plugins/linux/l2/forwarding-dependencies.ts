import type { Dependency, Scheduler } from "#core/scheduler/api/scheduler.js";
import { INTERFACE_PREFIX, type Interface, interfaceKey } from "#proto/index.js";
import {
  INTERFACE_PORT_PREFIX,
  INTERFACE_VLANS_PREFIX,
  interfaceAttachmentKey,
  parseInterfaceVlansKey,
} from "../interfaces/index.js";
import type { PlainForwarding } from "./forwarding-value.js";

type Desired = Pick<Scheduler, "desired" | "statuses">;

/**
 * An entry waits for its link, in its namespace, and for those that its other ends are reached by; one of a bridge for the port's membership and its VLAN.
 */
export function forwardingDependencies(value: PlainForwarding, desired: Desired): readonly Dependency[] {
  const { interface: name, master, vlan, remotes } = value;
  const names = new Set([name, ...remotes.flatMap(({ via }) => via || [])]);
  return [
    ...[...names].map((each) => ({ label: `interface ${each}`, key: interfaceAttachmentKey(each) })),
    ...(master ? [membership(name, desired)] : []),
    ...(vlan > 0 ? [vlanOf(name, vlan, desired)] : []),
  ];
}

function membership(name: string, desired: Desired): Dependency {
  const place = interfaceAttachmentKey(name);
  const end = `/${name}`;
  return {
    label: `interface ${name} to be a port of a bridge`,
    anyOf: {
      prefixes: [INTERFACE_PORT_PREFIX, place],
      matches: (key) => {
        if (key === place) return isPortOfOthers(name, desired);
        if (!key.startsWith(INTERFACE_PORT_PREFIX) || !key.endsWith(end)) return false;
        const bridge: Interface | undefined = desired.desired(
          interfaceKey(key.slice(INTERFACE_PORT_PREFIX.length, -end.length)),
        );
        return bridge?.type === "BRIDGE";
      },
    },
  };
}

function vlanOf(name: string, vlan: number, desired: Desired): Dependency {
  const place = interfaceAttachmentKey(name);
  return {
    label: `VLAN ${vlan} of interface ${name}`,
    anyOf: {
      prefixes: [`${INTERFACE_VLANS_PREFIX}${name}/`, place],
      matches: (key) => {
        if (key === place) return isPortOfOthers(name, desired);
        const vlans = parseInterfaceVlansKey(key);
        return vlans?.name === name && vlans.first <= vlan && vlan <= vlans.last;
      },
    },
  };
}

/** A link of somebody else's that no bridge of ours wants: if it is a port, others see to that, and to its VLANs. */
function isPortOfOthers(name: string, desired: Desired): boolean {
  const own: Interface | undefined = desired.desired(interfaceKey(name));
  if (own?.type !== "EXISTING") return false;
  return desired.statuses(INTERFACE_PREFIX).every(({ key }) => {
    const other: Interface | undefined = desired.desired(key);
    return other?.bridge?.ports?.every((port) => port.interface !== name) ?? true;
  });
}
