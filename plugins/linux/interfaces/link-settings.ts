import { SouthboundError } from "#core/errors.js";
import type { Dependency, Descriptor, InvalidField, KeyedValue, Scheduler } from "#core/scheduler/api/scheduler.js";
import type { LinkProtocols, NamespaceHandle } from "#plugins/netlink/index.js";
import { canonicalAddress, type Interface, interfaceKey } from "#proto/index.js";
import { isCode } from "../namespaces/index.js";
import { checkRange } from "./checks.js";
import { INTERFACE_SETTINGS_PREFIX, interfaceAttachmentKey, interfaceSettingsKey } from "./derived-keys.js";
import type { InterfaceIndex } from "./interface-index.js";

type Ipv4 = NonNullable<Interface["ipv4"]>;
type Ipv6 = NonNullable<Interface["ipv6"]>;

/** A setting of a link: its file, and its number in what the kernel tells of the link. */
interface Setting {
  readonly file: string;
  /** `IPV4_DEVCONF_*` of linux/ip.h, or `DEVCONF_*` of linux/ipv6.h; the address mode is told by itself. */
  readonly number: number | "addressMode";
  readonly last?: number;
}

const IPV4: Readonly<Record<keyof Ipv4, Setting>> = {
  forwarding: { file: "forwarding", number: 1 },
  rp_filter: { file: "rp_filter", number: 8, last: 2 },
  arp_ignore: { file: "arp_ignore", number: 19, last: 8 },
  arp_announce: { file: "arp_announce", number: 18, last: 2 },
  proxy_arp: { file: "proxy_arp", number: 3 },
  accept_local: { file: "accept_local", number: 23 },
};

const IPV6: Readonly<Record<Exclude<keyof Ipv6, "token">, Setting>> = {
  disable: { file: "disable_ipv6", number: 26 },
  forwarding: { file: "forwarding", number: 0 },
  accept_ra: { file: "accept_ra", number: 3, last: 2 },
  autoconf: { file: "autoconf", number: 5 },
  addr_gen_mode: { file: "addr_gen_mode", number: "addressMode" },
  privacy: { file: "use_tempaddr", number: 10, last: 2 },
  dad: { file: "accept_dad", number: 27, last: 2 },
};

const ADDRESS_MODES = ["EUI64", "NONE", "STABLE_PRIVACY", "RANDOM"] as const;

const FAMILIES = [
  ["ipv4", IPV4],
  ["ipv6", IPV6],
] as const;

/** The settings of a link that its value chooses, derived from that. */
export interface LinkSettings {
  /** Logical name. */
  readonly interface: string;
  readonly ipv4?: Ipv4;
  readonly ipv6?: Ipv6;
}

export function linkSettingsOf({ name = "", ipv4, ipv6 }: Interface): readonly KeyedValue[] {
  if (ipv4 === undefined && ipv6 === undefined) return [];
  const value: LinkSettings = { interface: name, ...(ipv4 && { ipv4 }), ...(ipv6 && { ipv6 }) };
  return [{ key: interfaceSettingsKey(name), value }];
}

export function validateLinkSettings({ ipv4, ipv6, ip_addresses: addresses = [] }: Interface): readonly InvalidField[] {
  const ranges = FAMILIES.flatMap(([family, table]) => {
    const said = (family === "ipv4" ? ipv4 : ipv6) as Readonly<Record<string, unknown>> | undefined;
    return Object.entries(table).flatMap(([field, { last }]) => {
      const value = said?.[field];
      return last === undefined || typeof value !== "number" ? [] : checkRange(`${family}.${field}`, value, 0, last);
    });
  });
  const token = ipv6?.token;
  // net/ipv6/addrconf.c, inet6_set_iftoken.
  const isUseless = token && ipv6?.accept_ra === 0;
  const isToken = !token || (canonicalAddress(token)?.startsWith("::") === true && token.includes(":"));
  const hasIpv6 = addresses.some((address) => address.includes(":"));
  return [
    ...ranges,
    ...(isToken ? [] : [{ field: "ipv6.token", problem: `is "${token}", expected a host part such as ::5` }]),
    ...(isUseless
      ? [{ field: "ipv6.token", problem: `is "${token}", but accept_ra is 0, so that nothing has it` }]
      : []),
    ...(ipv6?.disable && hasIpv6 ? [{ field: "ipv6.disable", problem: "is set, but there are IPv6 addresses" }] : []),
  ];
}

/** What of the settings that `expected` chooses is in force. */
export async function readLinkSettings(
  handle: NamespaceHandle,
  index: number,
  expected: Interface | undefined,
): Promise<Pick<Interface, "ipv4" | "ipv6">> {
  if (expected?.ipv4 === undefined && expected?.ipv6 === undefined) return {};
  const found = await handle.linkProtocols(index);
  if (found === undefined) return {};
  const { ipv4, ipv6 } = expected;
  return {
    ...(ipv4 && { ipv4: readFamily(ipv4, IPV4, found.ipv4, found) }),
    ...(ipv6 && {
      ipv6: {
        ...readFamily(ipv6, IPV6, found.ipv6, found),
        ...(ipv6.token && found.token ? { token: sameToken(ipv6.token, found.token) ? ipv6.token : found.token } : {}),
      },
    }),
  };
}

function sameToken(a: string, b: string): boolean {
  return canonicalAddress(a) === canonicalAddress(b);
}

function readFamily(
  chosen: object,
  table: Readonly<Record<string, Setting>>,
  values: ReadonlyMap<number, number>,
  { addressMode }: LinkProtocols,
): object {
  const entries = Object.entries(chosen).flatMap(([field, desired]): [string, unknown][] => {
    const setting = table[field];
    if (setting === undefined) return [];
    const value = setting.number === "addressMode" ? addressMode : values.get(setting.number);
    if (value === undefined) return [];
    if (typeof desired === "boolean") return [[field, value !== 0]];
    return [[field, setting.number === "addressMode" ? ADDRESS_MODES[value] : value]];
  });
  return Object.fromEntries(entries);
}

/** Settings of links, one file each; what is not chosen any more is as new links of the namespace have it. */
export class LinkSettingsDescriptor implements Descriptor<LinkSettings, undefined> {
  readonly name = "linux-interface-settings";
  readonly prefix = INTERFACE_SETTINGS_PREFIX;

  constructor(
    private readonly interfaces: InterfaceIndex,
    private readonly scheduler: Pick<Scheduler, "desired">,
  ) {}

  dependencies(_key: string, { interface: name }: LinkSettings): readonly Dependency[] {
    return [{ label: `attachment of interface ${name}`, key: interfaceAttachmentKey(name) }];
  }

  async create(_key: string, value: LinkSettings): Promise<undefined> {
    await this.change({ interface: value.interface }, value);
  }

  async update(_key: string, before: LinkSettings, after: LinkSettings): Promise<undefined> {
    await this.change(before, after);
  }

  async delete(_key: string, value: LinkSettings): Promise<void> {
    const { interface: name } = value;
    const metadata = this.interfaces.get(name);
    if (metadata === undefined || (metadata.ours && this.scheduler.desired(interfaceKey(name)) === undefined)) return;
    try {
      await this.change(value, { interface: name });
    } catch (error) {
      if (!isCode(error, "ENODEV", "ENOENT")) throw error;
    }
  }

  private async change(before: LinkSettings, after: LinkSettings): Promise<void> {
    const { interface: name } = after;
    const metadata = this.interfaces.get(name);
    const handle = this.interfaces.namespaceOf(name);
    const link = metadata && (await handle?.linkByIndex(metadata.index));
    if (handle === undefined || link === undefined)
      throw new SouthboundError("ENODEV", `interface ${name} is not there`);
    for (const [family, table] of FAMILIES) {
      const old = (before[family] ?? {}) as Readonly<Record<string, unknown>>;
      const desired = (after[family] ?? {}) as Readonly<Record<string, unknown>>;
      for (const [field, { file }] of Object.entries(table)) {
        if (old[field] === desired[field]) continue;
        const path = `${family}/conf/${link.name}/${file}`;
        try {
          if (desired[field] === undefined) await handle.sysctlCopy(`${family}/conf/default/${file}`, path);
          else await handle.sysctlSet(path, textOf(desired[field]));
        } catch (error) {
          throw naming(error, `${family}.${field}`);
        }
      }
    }
    const [old, token] = [before.ipv6?.token || "::", after.ipv6?.token || "::"];
    if (sameToken(old, token)) return;
    await handle.linkProtocolsSet({ linkIndex: link.index, ipv6: { token } }).catch((error: unknown) => {
      throw naming(error, "ipv6.token");
    });
  }
}

function textOf(value: unknown): string {
  if (typeof value === "boolean") return value ? "1" : "0";
  return typeof value === "number" ? String(value) : String(ADDRESS_MODES.findIndex((mode) => mode === value));
}

function naming(error: unknown, field: string): unknown {
  if (!(error instanceof SouthboundError)) return error;
  return new SouthboundError(error.code, `cannot set ${field}: ${error.message}`, { field, cause: error });
}
