import type { InvalidField } from "#core/scheduler/api/scheduler.js";
import { canonicalNetwork, type Rule, type RulePortRange, ruleFamily } from "#proto/index.js";
import { validateNamespace } from "../namespaces/index.js";

/** FRA_PRIORITY is 32 bits wide. 0 is no number of a key: it is how the field is left out. */
const MAX_PRIORITY = 0xffffffff;
/** net/core/fib_rules.c, fib_rule_port_range_valid: the last port of all is none of a rule. */
const MAX_PORT = 65534;
/** FRA_SUPPRESS_PREFIXLEN of a rule that suppresses nothing: that is how the kernel says that there is none. */
const NOTHING_SUPPRESSED = 0xffffffff;
/** INET_ECN_MASK of net/inet_ecn.h, and what is left of IPv4's byte by IPTOS_TOS_MASK of linux/ip.h. */
const CONGESTION_BITS = 3;
const MAX_IPV4_TOS = 0x1c;

/** Every wrong field of a rule. */
export function validateRule(value: Rule): readonly InvalidField[] {
  return [
    ...validateNumber("priority", value.priority ?? 0, 1, MAX_PRIORITY),
    ...validateNetwork("src_network", value.src_network, value),
    ...validateNetwork("dst_network", value.dst_network, value),
    ...validateTos(value.tos ?? 0, ruleFamily(value)),
    ...validateNumber("suppress_prefix_length", value.suppress_prefix_length ?? 0, 0, NOTHING_SUPPRESSED - 1),
    ...validateNumber("ip_protocol", value.ip_protocol ?? 0, 0, 255),
    ...validatePorts("src_ports", value.src_ports),
    ...validatePorts("dst_ports", value.dst_ports),
    ...validateAction(value),
    ...validateNamespace(value.namespace),
  ];
}

function validateNumber(field: string, is: number, from: number, to: number): readonly InvalidField[] {
  return is >= from && is <= to ? [] : [{ field, problem: `is ${is}, expected ${from} to ${to}` }];
}

/** net/ipv4/fib_rules.c, fib4_rule_configure, and the same of IPv6: the last two bits are about congestion. */
function validateTos(tos: number, family: "IPV4" | "IPV6"): readonly InvalidField[] {
  const range = validateNumber("tos", tos, 0, family === "IPV4" ? MAX_IPV4_TOS : 255);
  if (range.length > 0 || (tos & CONGESTION_BITS) === 0) return range;
  return [{ field: "tos", problem: `is ${tos}, expected a multiple of 4: the last two bits are about congestion` }];
}

function validateNetwork(field: string, text: string | undefined, rule: Rule): readonly InvalidField[] {
  if (!text) return [];
  const network = canonicalNetwork(text);
  if (network === undefined) {
    return [{ field, problem: `is "${text}", expected a network such as 10.1.0.0/16 or fd00::/64` }];
  }
  const family = network.includes(":") ? "IPV6" : "IPV4";
  return family === ruleFamily(rule)
    ? []
    : [{ field, problem: `is ${text}, but the rule is of family ${ruleFamily(rule)}` }];
}

function validatePorts(field: string, range: RulePortRange | undefined): readonly InvalidField[] {
  if (range === undefined) return [];
  const { first = 0, last = 0 } = range;
  const problems = [
    ...validateNumber(`${field}.first`, first, 1, MAX_PORT),
    ...validateNumber(`${field}.last`, last, 0, MAX_PORT),
  ];
  if (problems.length === 0 && last !== 0 && last < first) {
    return [{ field: `${field}.last`, problem: `is ${last}, less than the first, ${first}` }];
  }
  return problems;
}

/** The kernel takes fields of another action, and has no use for them: here they are a mistake. */
function validateAction({
  action = "LOOKUP",
  table,
  goto_priority: target,
  priority = 0,
  ...rest
}: Rule): InvalidField[] {
  const problems: InvalidField[] = [];
  const belongsTo = (field: string, owner: string): void => {
    problems.push({ field, problem: `is set, but belongs to the action ${owner}` });
  };
  if (action === "LOOKUP" && !table) problems.push({ field: "table", problem: "is missing, expected a routing table" });
  if (action !== "LOOKUP" && table) belongsTo("table", "LOOKUP");
  if (action !== "LOOKUP" && rest.suppress_prefix_length !== undefined) belongsTo("suppress_prefix_length", "LOOKUP");
  if (action !== "GOTO" && target) belongsTo("goto_priority", "GOTO");
  if (action === "GOTO" && (target ?? 0) <= priority) {
    problems.push({
      field: "goto_priority",
      problem: `is ${target ?? 0}, expected more than the priority, ${priority}`,
    });
  }
  return problems;
}
