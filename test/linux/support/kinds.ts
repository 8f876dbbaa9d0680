import { spawnSync } from "node:child_process";
import "#test/support/sandbox.js";

const known = new Map<string, boolean>();

/**
 * Does this kernel have links of that kind, with these options of `ip link add`? Asks it for one, in a namespace that ends with the
 * question.
 */
export function hasKind(kind: string, options: readonly string[] = []): boolean {
  const question = [kind, ...options].join(" ");
  const answer = known.get(question) ?? ask(kind, options);
  known.set(question, answer);
  return answer;
}

/** Is this the kernel that only what the machine's own lacks is tried in (test/uml)? */
export const IN_ANOTHER_KERNEL = Boolean(process.env.TENUTO_TEST_TYPES);

function ask(kind: string, options: readonly string[]): boolean {
  const command = ["--net", "ip", "link", "add", "probe", "type", kind, ...options];
  const { stderr } = spawnSync("unshare", command, { encoding: "utf8" });
  // Everything else is said of a kind that exists and misses something.
  return !stderr.includes("Unknown device type") && !(options.length > 0 && stderr.includes("not supported"));
}
