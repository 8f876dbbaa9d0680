import type { Rule as KernelRule, PortRange } from "#plugins/netlink/index.js";
import { canonicalNetwork, type Rule, type RuleAction, type RulePortRange, ruleFamily } from "#proto/index.js";
import { namespaceText } from "../namespaces/index.js";
import { TENUTO_PROTOCOL } from "../protocol.js";

/** FR_ACT_* of linux/fib_rules.h. */
const ACTIONS: Readonly<Record<RuleAction, number>> = {
  LOOKUP: 1,
  GOTO: 2,
  BLACKHOLE: 6,
  UNREACHABLE: 7,
  PROHIBIT: 8,
};

const ALL_BITS = 0xffffffff;

/** Names of interfaces: logical in values, host names in the kernel. */
type Rename = (name: string) => string;

/** The kernel's rule for a value of ours. `hostNameOf` gives the host name of an interface. */
export function kernelRule(rule: Rule, hostNameOf: Rename): KernelRule {
  const masked = Boolean(rule.fw_mark || rule.fw_mask);
  return withoutUndefined<KernelRule>({
    family: ruleFamily(rule) === "IPV6" ? "inet6" : "inet",
    priority: rule.priority ?? 0,
    protocol: TENUTO_PROTOCOL,
    action: ACTIONS[rule.action ?? "LOOKUP"],
    source: network(rule.src_network),
    destination: network(rule.dst_network),
    inputInterface: rule.in_interface ? hostNameOf(rule.in_interface) : undefined,
    outputInterface: rule.out_interface ? hostNameOf(rule.out_interface) : undefined,
    mark: masked ? (rule.fw_mark ?? 0) : undefined,
    markMask: masked ? rule.fw_mask || ALL_BITS : undefined,
    tos: rule.tos || undefined,
    ipProtocol: rule.ip_protocol || undefined,
    sourcePorts: kernelPorts(rule.src_ports),
    destinationPorts: kernelPorts(rule.dst_ports),
    invert: rule.invert || undefined,
    table: rule.table || undefined,
    goto: rule.goto_priority || undefined,
    suppressPrefixLength: rule.suppress_prefix_length,
  });
}

/** The value of a rule that the kernel has. `nameOf` gives the logical name of a host name, or the host name itself. */
export function ruleValue(rule: KernelRule, nameOf: Rename): Rule {
  const action = (Object.keys(ACTIONS) as RuleAction[]).find((name) => ACTIONS[name] === rule.action) ?? "LOOKUP";
  const { source, destination, inputInterface, outputInterface } = rule;
  const family = rule.family === "inet6" ? "IPV6" : "IPV4";
  return withoutUndefined<Rule>({
    priority: rule.priority,
    family: family === "IPV6" && source === undefined && destination === undefined ? family : undefined,
    src_network: source,
    dst_network: destination,
    in_interface: inputInterface === undefined ? undefined : nameOf(inputInterface),
    out_interface: outputInterface === undefined ? undefined : nameOf(outputInterface),
    fw_mark: rule.mark || undefined,
    fw_mask: rule.markMask === ALL_BITS ? undefined : rule.markMask,
    tos: rule.tos,
    ip_protocol: rule.ipProtocol,
    src_ports: writtenPorts(rule.sourcePorts),
    dst_ports: writtenPorts(rule.destinationPorts),
    invert: rule.invert,
    action: action === "LOOKUP" ? undefined : action,
    table: action === "LOOKUP" ? rule.table : undefined,
    goto_priority: rule.goto,
    suppress_prefix_length: rule.suppressPrefixLength,
  });
}

/** A rule with every default filled in: two values mean the same rule when these are equal. */
export function plainRule(rule: Rule): object {
  return { ...kernelRule(rule, (name) => name), namespace: namespaceText(rule.namespace) };
}

/** Every address (`0.0.0.0/0`) is no selector. */
function network(text: string | undefined): string | undefined {
  const canonical = text === undefined ? undefined : canonicalNetwork(text);
  return canonical?.endsWith("/0") ? undefined : canonical;
}

function kernelPorts(range: RulePortRange | undefined): PortRange | undefined {
  if (range === undefined) return undefined;
  const { first = 0, last = 0 } = range;
  return { first, last: last || first };
}

function writtenPorts(range: PortRange | undefined): RulePortRange | undefined {
  if (range === undefined) return undefined;
  return range.first === range.last ? { first: range.first } : range;
}

function withoutUndefined<T extends object>(fields: { readonly [K in keyof T]: T[K] | undefined }): T {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as T;
}
