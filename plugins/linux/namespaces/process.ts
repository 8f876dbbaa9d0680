import { readFileSync, statSync } from "node:fs";
import type { NamespaceRef } from "#plugins/netlink/index.js";

/** Of a process that runs, as in `NamespaceRef`; `undefined` when it does not. /proc does not keep anybody waiting. */
export function startTimeOf(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
    // Field 22 of proc_pid_stat(5), after the name of the program, which may contain anything.
    return stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19];
  } catch {
    // It has ended.
    return undefined;
  }
}

/** Does the process have a network namespace? Also when that may not be looked at: whoever enters it is told why. */
export function isProcess({ pid, startTime }: NamespaceRef & { readonly kind: "pid" }): boolean {
  try {
    statSync(`/proc/${pid}/ns/net`);
  } catch (error) {
    const isForbidden =
      error instanceof Error && "code" in error && (error.code === "EACCES" || error.code === "EPERM");
    if (!isForbidden) return false;
  }
  return startTime === undefined || startTimeOf(pid) === startTime;
}
