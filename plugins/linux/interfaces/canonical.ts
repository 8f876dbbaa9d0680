import type { KeyedValue } from "#core/scheduler/api/scheduler.js";
import {
  canonicalNetwork,
  type Interface,
  interfaceAddressKey,
  interfaceStateKey,
  interfaceVrfKey,
  linkLocalRouteKey,
} from "#proto/index.js";
import { namespaceText } from "../namespaces/index.js";
import type { InterfaceAttachment } from "./attachment.js";
import { interfaceAttachmentKey, unnumberedAddressesKey, unnumberedDonorKey } from "./derived-keys.js";
import { hostNameOf } from "./host-name.js";
import { linkSettingsOf } from "./link-settings.js";
import { addressesOf, type InterfaceAddress, interfaceAddresses } from "./own-addresses.js";
import { portsOf } from "./port.js";
import { resetsOnRename } from "./settings.js";
import type { InterfaceAdminState } from "./state.js";
import { linkTypeOf } from "./types/index.js";
import type { UnnumberedAddresses, UnnumberedDonor } from "./unnumbered.js";

/** A link that is not in the VRF that it belongs to (`isStray`) has no place, and is not up for others. */
export function derivedValues(value: Interface, { isStray = false } = {}): readonly KeyedValue[] {
  const { name = "", namespace, vrf_master_interface: vrf, enabled = false } = value;
  const place: InterfaceAttachment = {
    interface: name,
    ...(namespace === undefined ? {} : { namespace }),
    ...(vrf ? { vrf } : {}),
  };
  const addresses = addressesOf(value);
  const state: InterfaceAdminState = {
    interface: name,
    ...(resetsOnRename(enabled) ? { hostName: hostNameOf(value, linkTypeOf(value)) } : {}),
    ipv4: addresses.filter((address) => !address.includes(":")),
  };
  // Sorted: the kernel lists addresses in an order of its own, and what is lent does not depend on it.
  const donor: UnnumberedDonor = { interface: name, addresses: [...addresses].sort() };
  return [
    ...(vrf ? [{ key: interfaceVrfKey(name, vrf), value: place }] : []),
    ...(isStray
      ? []
      : [
          { key: interfaceAttachmentKey(name), value: place },
          { key: interfaceStateKey(name, enabled), value: state },
        ]),
    ...interfaceAddresses(value).flatMap((derived) => [
      { key: interfaceAddressKey(name, derived.address), value: derived },
      // The other end is on the link, as the network of any other address is.
      ...(derived.peer === undefined
        ? []
        : [
            {
              key: linkLocalRouteKey(name, peerNetwork(derived)),
              value: { on: interfaceAddressKey(name, derived.address) },
            },
          ]),
    ]),
    ...(addresses.length === 0 ? [] : [{ key: unnumberedDonorKey(name), value: donor }]),
    ...unnumberedAddresses(value),
    ...linkSettingsOf(value),
    ...portsOf(value),
    ...(linkTypeOf(value)?.derivedValues?.(value) ?? []),
  ];
}

function peerNetwork({ address, peer = "" }: InterfaceAddress): string {
  const network = peer + address.slice(address.indexOf("/"));
  return canonicalNetwork(network) ?? network;
}

function unnumberedAddresses({ name = "", unnumbered: donor }: Interface): readonly KeyedValue[] {
  if (!donor) return [];
  const value: UnnumberedAddresses = { interface: name, donor };
  return [{ key: unnumberedAddressesKey(name), value }];
}

/**
 * Is the link that `a` describes what `b` asks for? What `b` leaves to the kernel (MTU, MAC address) may be anything.
 * Addresses, VRF and ports are values of their own and are not compared here.
 */
export function sameLink(a: Interface, b: Interface): boolean {
  const type = linkTypeOf(a);
  return (
    a.type === b.type &&
    a.name === b.name &&
    namespaceText(a.namespace) === namespaceText(b.namespace) &&
    hostNameOf(a, type) === hostNameOf(b, type) &&
    Boolean(a.enabled) === Boolean(b.enabled) &&
    (!b.mtu || a.mtu === b.mtu) &&
    sameHardwareAddress(a, b) &&
    (type?.same?.(a, b) ?? true) &&
    (type?.recreates?.(a, b) ?? false) === false
  );
}

/** Does `b` leave to the kernel what `a` has said? */
export function givesUpMtu(a: Interface, b: Interface): boolean {
  return Boolean(a.mtu) && !b.mtu && linkTypeOf(b)?.kinds !== undefined;
}

function sameHardwareAddress(a: Interface, b: Interface): boolean {
  if (a.link_only || b.link_only || !b.phys_address) return true;
  return a.phys_address?.toLowerCase() === b.phys_address.toLowerCase();
}
