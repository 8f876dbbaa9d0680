import { readFileSync, writeFileSync } from "node:fs";

/**
 * Writes a setting of the namespace that the thread is in: what is below `/proc/sys/net` depends on who looks
 * (net/sysctl_net.c, net_ctl_header_lookup).
 */
export function setSysctl(path: string, value: SysctlValue): void {
  const text = "from" in value ? readFileSync(PLACE + value.from, "utf8") : value.text;
  writeFileSync(PLACE + path, text);
}

const PLACE = "/proc/sys/net/";

/** `from`: what another setting of the namespace is. */
export type SysctlValue = { readonly text: string } | { readonly from: string };
