import type { InvalidField } from "#core/scheduler/api/scheduler.js";
import { canonicalAddress, canonicalMac, type ForwardingEntry } from "#proto/index.js";
import { checkAddress, checkRange, checkSameFamily } from "../interfaces/index.js";
import { mayHaveSeveral, type PlainForwarding, plainForwarding, remoteName, TO_ALL } from "./forwarding-value.js";

type Problems = readonly InvalidField[];

const LAST_VLAN = 4094;
/** The header has 24 bits; the kernel takes more and sends what fits. */
const LAST_VNI = 0xffffff;

/** Every wrong field of a forwarding entry. Rules of the kernel are named with their function. */
export function validateForwarding(value: ForwardingEntry): Problems {
  const { interface: name, hw_address: mac = "" } = value;
  if (!name) return [{ field: "interface", problem: "is missing" }];
  if (canonicalMac(mac) === undefined) {
    return [{ field: "hw_address", problem: `is "${mac}", expected a MAC address such as 02:00:00:00:00:01` }];
  }
  const plain = plainForwarding(value);
  return [
    ...checkRange("vlan", value.vlan, 0, LAST_VLAN), // net/core/rtnetlink.c, fdb_vid_parse
    ...checkRange("src_vni", value.src_vni, 0, LAST_VNI),
    ...checkTables(plain),
    ...checkFlags(plain),
    ...checkRemotes(value, plain),
  ];
}

function checkTables({ mac, vlan, sourceVni, master, self, remotes }: PlainForwarding): Problems {
  const problems: InvalidField[] = [];
  // net/bridge/br_fdb.c, br_fdb_add.
  if (master && mac === TO_ALL) {
    problems.push({ field: "hw_address", problem: `is ${mac}, which no bridge knows; a VXLAN does, with remotes` });
  }
  // drivers/net/vxlan takes it and keeps no VLANs apart: the bridge's entry is a value of its own.
  if (vlan > 0 && remotes.length > 0) {
    problems.push({ field: "vlan", problem: "is set, but the table of a VXLAN has no VLANs; leave it or remotes out" });
  }
  // net/core/rtnetlink.c, ndo_dflt_fdb_add; a bridge's own table has VLANs.
  if (vlan > 0 && master && self) {
    problems.push({ field: "vlan", problem: "is set, but what is in both tables has none; leave out master or self" });
  }
  if (sourceVni > 0 && remotes.length === 0) {
    problems.push({ field: "src_vni", problem: "is set, but belongs to an entry with remotes" });
  }
  return problems;
}

function checkFlags({ master, local, sticky, externLearn, remotes }: PlainForwarding): Problems {
  const problems: InvalidField[] = [];
  const needs = (field: string, what: string): number =>
    problems.push({ field, problem: `is set, but belongs to ${what}` });
  // What is in another table is always permanent, and the flag of another table means nothing.
  if (local && !master) needs("local", "an entry of a bridge (master)");
  if (sticky && !master) needs("sticky", "an entry of a bridge (master)");
  if (externLearn && !master && remotes.length === 0) needs("extern_learn", "an entry with master or remotes");
  // net/bridge/br_fdb.c, fdb_add_entry.
  if (sticky && local) problems.push({ field: "sticky", problem: "is set, but what is local moves nowhere anyway" });
  // br_fdb_external_learn_add looks at neither.
  if (master && externLearn && (sticky || local)) {
    problems.push({ field: "extern_learn", problem: "is set, and the kernel would forget local and sticky for it" });
  }
  return problems;
}

function checkRemotes({ remotes = [] }: ForwardingEntry, plain: PlainForwarding): Problems {
  const several =
    remotes.length > 1 && !mayHaveSeveral(plain.mac)
      ? [
          {
            field: "remotes",
            problem: `has ${remotes.length} ends; ${plain.mac} has one, ${TO_ALL} and multicast addresses have many`,
          },
        ]
      : [];
  const names = new Set<string>();
  return [
    ...several,
    ...remotes.flatMap(({ address, vni, port }, position) => {
      const field = `remotes[${position}]`;
      const own = plainForwarding({ remotes: remotes.slice(position, position + 1) })
        .remotes.map(remoteName)
        .join();
      const again = names.has(own) ? [{ field, problem: "is there twice" }] : [];
      names.add(own);
      return [
        ...checkEnd(`${field}.address`, address),
        ...checkSameFamily(`${field}.address`, address, remotes[0]?.address), // vxlan_fdb_add: one family
        ...checkRange(`${field}.vni`, vni, 0, LAST_VNI),
        ...checkRange(`${field}.port`, port, 0, 0xffff),
        ...again,
      ];
    }),
  ];
}

/** The kernel takes no address for all of them when an end is removed (__vxlan_fdb_delete). */
function checkEnd(field: string, address: string | undefined): Problems {
  if (!address) return [{ field, problem: "is missing, expected an address such as 192.0.2.1 or 2001:db8::1" }];
  const canonical = canonicalAddress(address);
  if (canonical === "0.0.0.0" || canonical === "::") return [{ field, problem: `is ${address}, which is no end` }];
  return checkAddress(field, address);
}
