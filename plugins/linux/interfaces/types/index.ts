import type { Interface, InterfaceType } from "#proto/index.js";
import type { LinkType } from "../link-type.js";
import { bond } from "./bond.js";
import { bridge } from "./bridge.js";
import { dummy } from "./dummy.js";
import { existing } from "./existing.js";
import { geneve } from "./geneve.js";
import { gre } from "./gre.js";
import { ipvlan } from "./ipvlan.js";
import { loopback } from "./loopback.js";
import { macvlan } from "./macvlan.js";
import { tap } from "./tap.js";
import { tapToVpp } from "./tap-to-vpp.js";
import { veth } from "./veth.js";
import { vlan } from "./vlan.js";
import { vrf } from "./vrf.js";
import { vxlan } from "./vxlan.js";
import { wireguard } from "./wireguard.js";

const ALL: readonly LinkType[] = [
  veth,
  tapToVpp,
  loopback,
  existing,
  vrf,
  dummy,
  bridge,
  vxlan,
  macvlan,
  tap,
  vlan,
  bond,
  ipvlan,
  geneve,
  gre,
  wireguard,
];

/** Every interface type the agent can configure. */
const LINK_TYPES: ReadonlyMap<InterfaceType, LinkType> = new Map(ALL.map((type) => [type.type, type]));

export function linkTypeOf({ type }: Pick<Interface, "type">): LinkType | undefined {
  return type === undefined ? undefined : LINK_TYPES.get(type);
}

/** The type whose links are of this kind (IFLA_INFO_KIND). */
export function linkTypeOfKind(kind: string): LinkType | undefined {
  return ALL.find((type) => type.kinds?.includes(kind));
}

export function supportedTypes(): readonly InterfaceType[] {
  return [...LINK_TYPES.keys()];
}
