import type { InvalidField } from "#core/scheduler/types.js";
import { canonicalNetwork, type Rule, type RulePortRange, ruleFamily } from "#proto/index.js";
import { validateNamespace } from "../namespaces/index.js";

/** FRA_PRIORITY is 32 bits wide. 0 is no number of a key: it is how the field is left out. */
const MAX_PRIORITY = 0xffffffff;
const MAX_PORT = 65535;

/** Every wrong field of a rule. */
export function validateRule(value: Rule): readonly InvalidField[] {
  return [
    ...validateNumber("priority", value.priority ?? 0, 1, MAX_PRIORITY),
    ...validateNetwork("src_network", value.src_network, value),
    ...validateNetwork("dst_network", value.dst_network, value),
    ...validateNumber("tos", value.tos ?? 0, 0, 255),
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
