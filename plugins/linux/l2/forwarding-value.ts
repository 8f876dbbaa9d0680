import { canonicalAddress, canonicalMac, type ForwardingEntry } from "#proto/index.js";

/** What a VXLAN does with packets to all, and to addresses that it does not know. */
export const TO_ALL = "00:00:00:00:00:00";

/** Another end of a VXLAN. */
export interface PlainRemote {
  /** Canonical. */
  readonly address: string;
  /** 0: that of the VXLAN; so is the port. */
  readonly vni: number;
  readonly port: number;
  /** Logical name; empty: the route's. */
  readonly via: string;
}

/** A forwarding entry with every default filled in: two values mean the same when these are equal. */
export interface PlainForwarding {
  readonly interface: string;
  readonly mac: string;
  readonly vlan: number;
  readonly sourceVni: number;
  readonly master: boolean;
  readonly self: boolean;
  readonly local: boolean;
  readonly sticky: boolean;
  readonly externLearn: boolean;
  /** In one order. */
  readonly remotes: readonly PlainRemote[];
}

export function plainForwarding(value: ForwardingEntry): PlainForwarding {
  const { interface: name = "", hw_address: mac = "", vlan = 0, src_vni: sourceVni = 0, remotes = [] } = value;
  const self = Boolean(value.self) || remotes.length > 0;
  return {
    interface: name,
    mac: canonicalMac(mac) ?? mac,
    vlan,
    sourceVni,
    master: Boolean(value.master) || !self,
    self,
    local: Boolean(value.local),
    sticky: Boolean(value.sticky),
    externLearn: Boolean(value.extern_learn),
    remotes: remotes
      .map(({ address = "", vni = 0, port = 0, via = "" }) => ({
        address: canonicalAddress(address) ?? address,
        vni,
        port,
        via,
      }))
      .sort((a, b) => (remoteName(a) < remoteName(b) ? -1 : 1)),
  };
}

/** Equal for one and the same other end. */
export function remoteName({ address, vni, port, via }: PlainRemote): string {
  return `${address} ${vni} ${port} ${via}`;
}

/** May the address have several other ends? The kernel keeps one of any other address (drivers/net/vxlan, vxlan_fdb_update_existing). */
export function mayHaveSeveral(mac: string): boolean {
  return mac === TO_ALL || isGroup(mac);
}

/** Is it an address of many (IEEE 802's group bit)? */
export function isGroup(mac: string): boolean {
  return (Number.parseInt(mac.slice(0, 2), 16) & 1) === 1;
}
