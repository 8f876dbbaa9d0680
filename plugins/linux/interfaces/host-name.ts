import type { InvalidField } from "#core/scheduler/api/scheduler.js";
import type { Link } from "#plugins/netlink/index.js";
import type { Interface } from "#proto/index.js";
import type { LinkType } from "./link-type.js";

/** IFNAMSIZ of linux/if.h without the terminating zero. */
const MAX_BYTES = 15;

/** lib/ctype.c, isspace, looks at bytes in Latin-1: its no-break space is in UTF-8 a part of other letters. */
const NO_BREAK_SPACE = 0xa0;

/** The name that the value's link has in the host. */
export function hostNameOf(value: Interface, type: LinkType | undefined): string {
  return value.host_if_name || type?.defaultHostName?.(value) || value.name || "";
}

/** The kernel finds a link under its alternative names as well, and gives them to no other. */
export function isNamed({ name, altNames }: Pick<Link, "name" | "altNames">, hostName: string): boolean {
  return name === hostName || altNames.includes(hostName);
}

/**
 * The rules of the kernel for a name (net/core/dev.c, dev_valid_name), told with the field that the name comes from. A percent
 * sign is refused too: the kernel puts a number in place of `%d`. Two names belong to settings: net/ipv4/devinet.c,
 * sysctl_dev_name_is_allowed.
 */
export function validateHostName(value: Interface, type: LinkType | undefined): readonly InvalidField[] {
  const hostName = hostNameOf(value, type);
  const problem = problemOf(hostName);
  if (problem === undefined) return [];
  if (value.host_if_name) return [{ field: "host_if_name", problem: `is "${hostName}", which ${problem}` }];
  return [
    { field: "name", problem: `is "${hostName}", which cannot be the host name too: it ${problem}; set host_if_name` },
  ];
}

function problemOf(hostName: string): string | undefined {
  const bytes = Buffer.byteLength(hostName);
  if (bytes > MAX_BYTES) return `has ${bytes} bytes, at most ${MAX_BYTES} are possible`;
  if (hostName === "." || hostName === "..") return "is no name to the kernel";
  if (/[/:\s\0%]/.test(hostName) || Buffer.from(hostName).includes(NO_BREAK_SPACE)) {
    return "has a slash, a colon, a percent sign, a space, or a letter with a byte that the kernel takes for a space, such as à";
  }
  if (hostName === "all" || hostName === "default") return "is what the kernel calls its settings for all links";
  return undefined;
}
