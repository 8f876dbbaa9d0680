/** Links that many tests begin with. */
import type { BridgeLinkPort, Interface } from "#proto/index.js";
import { type Desired, wantInterface } from "./network.js";

export function pair(name: string, change: Partial<Interface> = {}): readonly Desired[] {
  return [
    wantInterface({ name, type: "VETH", enabled: true, ...change, veth: { peer_if_name: `${name}p` } }),
    wantInterface({ name: `${name}p`, type: "VETH", enabled: true, veth: { peer_if_name: name } }),
  ];
}

export const bridge = (ports: readonly BridgeLinkPort[], change: Interface["bridge"] = {}, name = "br"): Desired =>
  wantInterface({ name, type: "BRIDGE", enabled: true, bridge: { ...change, ports } });
