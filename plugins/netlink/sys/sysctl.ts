import { writeFileSync } from "node:fs";

/**
 * Writes a setting of the namespace that the thread is in: what is below `/proc/sys/net` depends on who looks
 * (net/sysctl_net.c, net_ctl_header_lookup).
 */
export function setSysctl(path: string, value: string): void {
  writeFileSync(`/proc/sys/net/${path}`, value);
}
