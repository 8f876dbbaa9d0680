import type { Dependency, Descriptor } from "#core/scheduler/api/scheduler.js";
import { interfaceVrfKey, type NetNamespace } from "#proto/index.js";
import { INTERFACE_ATTACHMENT_PREFIX } from "./derived-keys.js";

/** Where a link is for others: its namespace, and the VRF that it belongs to. */
export interface InterfaceAttachment {
  /** Logical name. */
  readonly interface: string;
  readonly namespace?: NetNamespace;
  /** Logical name of the VRF; left out: none. */
  readonly vrf?: string;
}

/**
 * What everything that rests on a link waits for: its addresses and routes, ports of bridges, links above it. The kernel takes
 * these off a link that moves to another namespace, and resets the link when it joins or leaves a VRF. There is nothing to
 * do here; it has a `create` so that a change is a re-creation, which puts dependents aside.
 */
export class InterfaceAttachmentDescriptor implements Descriptor<InterfaceAttachment, undefined> {
  readonly name = "linux-interface-attachment";
  readonly prefix = INTERFACE_ATTACHMENT_PREFIX;

  dependencies(_key: string, { interface: name, vrf }: InterfaceAttachment): readonly Dependency[] {
    return vrf === undefined ? [] : [{ label: `VRF ${vrf}`, key: interfaceVrfKey(name, vrf) }];
  }

  /** A link belongs to no VRF only after it has left the one it was in. */
  claims(_key: string, { interface: name, vrf }: InterfaceAttachment): readonly string[] {
    return vrf === undefined ? [vrfClaim(name)] : [];
  }

  create(): undefined {
    return undefined;
  }
}

/** What belonging to a VRF, or to none, excludes: belonging to another. */
export function vrfClaim(name: string): string {
  return `VRF of ${name}`;
}
