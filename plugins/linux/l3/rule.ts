import { setImmediate } from "node:timers/promises";
import { isDeepStrictEqual } from "node:util";
import { InvalidInputError, SouthboundError } from "#core/errors.js";
import type { Dependency, Descriptor, InvalidField, RetrievedValue, Scheduler } from "#core/scheduler/api/scheduler.js";
import type { Rule as KernelRule, NamespaceHandle } from "#plugins/netlink/index.js";
import { RULE_PREFIX, type Rule, ruleFamily, ruleModel } from "#proto/index.js";
import type { Contest } from "../contest.js";
import { INTERFACE_DESCRIPTOR, type InterfaceIndex, interfaceAttachmentKey } from "../interfaces/index.js";
import { isCode, type Namespaces, namespaceText, type SurveyedNamespace } from "../namespaces/index.js";
import { TENUTO_PROTOCOL } from "../protocol.js";
import type { ValueLeases } from "./leases.js";
import { kernelRule, plainRule, ruleValue } from "./rule-kernel.js";
import { validateRule } from "./rule-validation.js";

/** What deleting a rule says when it is gone already, or when its family is not there. */
const GONE = ["ENOENT", "EAFNOSUPPORT", "ESRCH"] as const;

/** Of a value that the kernel cannot tell from another one. */
export const SAME_RULE = "SAME_RULE";

type RetrievedRule = RetrievedValue<Rule, undefined>;

export interface RuleDescriptorParts {
  readonly interfaces: InterfaceIndex;
  readonly namespaces: Namespaces;
  readonly leases: ValueLeases;
  readonly scheduler: Pick<Scheduler, "desired" | "statuses">;
  readonly duplicateValues: Contest;
}

/**
 * Policy rules, marked as ours by FRA_PROTOCOL. The mark does not say which agent made a rule: only one agent on a host should
 * configure rules of a namespace. The kernel cannot change a rule: the new one is added before the old one goes.
 */
export class RuleDescriptor implements Descriptor<Rule, undefined> {
  readonly name = "linux-rule";
  readonly prefix = RULE_PREFIX;
  readonly retrieveAfter = [INTERFACE_DESCRIPTOR];

  /** As they were put into the kernel or found there: their interfaces may be called otherwise now. */
  private readonly made = new Map<string, KernelRule>();

  constructor(private readonly parts: RuleDescriptorParts) {}

  validate(_key: string, value: Rule): readonly InvalidField[] {
    return validateRule(value);
  }

  dependencies(_key: string, value: Rule): readonly Dependency[] {
    const names = [value.in_interface, value.out_interface].flatMap((name) => name || []);
    return [
      ...this.parts.namespaces.dependencies(value.namespace),
      // One that moves to the rule's namespace in the same transaction is not there before.
      ...names.map((name) => ({ label: `interface ${name}`, key: interfaceAttachmentKey(name) })),
    ];
  }

  equivalent(_key: string, a: Rule, b: Rule): boolean {
    return isDeepStrictEqual(plainRule(a), plainRule(b));
  }

  /** The names of interfaces in the kernel's rules do not follow their links: rules that name one that is called otherwise now. */
  naming(name: string): readonly string[] {
    return this.parts.scheduler.statuses(RULE_PREFIX).flatMap(({ key }) => {
      const desired: Rule | undefined = this.parts.scheduler.desired(key);
      return desired !== undefined && [desired.in_interface, desired.out_interface].includes(name) ? [key] : [];
    });
  }

  async create(key: string, value: Rule): Promise<undefined> {
    await this.parts.leases.during(key, value.namespace, (lease) => this.add(key, value, lease.handle));
    this.parts.duplicateValues.won(key);
  }

  updateWithRecreate(_key: string, oldValue: Rule, newValue: Rule): boolean {
    return namespaceText(oldValue.namespace) !== namespaceText(newValue.namespace);
  }

  async update(key: string, oldValue: Rule, newValue: Rule): Promise<undefined> {
    await this.parts.leases.during(key, newValue.namespace, async ({ handle }) => {
      const before = this.made.get(key) ?? this.requestOf(oldValue);
      await this.add(key, newValue, handle);
      if (!isDeepStrictEqual(before, this.made.get(key))) await this.remove(before, handle);
    });
  }

  async delete(key: string, value: Rule): Promise<void> {
    const lease = this.parts.leases.get(key);
    if (lease === undefined) return;
    await this.remove(this.made.get(key) ?? this.requestOf(value), lease.handle);
    this.made.delete(key);
    this.parts.leases.drop(key);
  }

  async retrieve(
    correlate: readonly RetrievedValue<Rule, undefined>[],
    only?: ReadonlySet<string>,
  ): Promise<readonly RetrievedRule[]> {
    const references = correlate.map(({ value }) => value.namespace);
    const surveyed = await this.parts.namespaces.survey(references, { named: only === undefined });
    try {
      const found = await Promise.all(surveyed.map((namespace) => this.read(namespace, correlate)));
      await Promise.all(
        found.flat().map(({ rule, identity }) => this.parts.leases.adopt(rule.key, rule.value.namespace, identity)),
      );
      return found.flat().map(({ rule }) => rule);
    } finally {
      for (const { lease } of surveyed) lease.release();
    }
  }

  /** The rules of ours in one namespace. Each has the key of an expected value of its priority and family, if there is one. */
  private async read(
    { references, lease: { handle } }: SurveyedNamespace,
    correlate: readonly RetrievedRule[],
  ): Promise<readonly Found[]> {
    const names = new Set(references.map(namespaceText));
    const here = correlate.filter(
      ({ key, value }) => names.has(namespaceText(value.namespace)) && !this.parts.duplicateValues.isOut(key),
    );
    const rules = (await handle.ruleList()).filter(({ protocol }) => protocol === TENUTO_PROTOCOL);
    const values = rules.map((rule) => ruleValue(rule, (hostName) => this.nameOf(hostName, handle)));
    const keys = matchedKeys(values, here);
    const [namespace] = references;
    return values.map((value, index): Found => {
      const match = keys.get(index);
      const place = match === undefined ? namespace : match.value.namespace;
      const placed = place === undefined ? value : { ...value, namespace: place };
      const key = match?.key ?? `${RULE_PREFIX}${ruleModel.nameOf(placed)}`;
      const found = rules[index];
      if (match !== undefined && found !== undefined) {
        // Names as the kernel has them.
        this.made.set(match.key, kernelRule(ruleValue(found, asItIs), asItIs));
      }
      const isTaken = match === undefined && correlate.some((each) => each.key === key);
      return {
        rule: {
          key,
          value: placed,
          origin: "northbound",
          ...(isTaken ? { key: `${key}#${index}`, remains: true } : {}),
        },
        identity: handle.identity,
      };
    });
  }

  private async add(key: string, value: Rule, handle: NamespaceHandle): Promise<void> {
    const request = kernelRule(value, (name) => this.hostNameOf(key, value, name, handle));
    try {
      await handle.ruleAdd(request);
      this.made.set(key, request);
    } catch (error) {
      // Of the same protocol number, so it is ours: the kernel takes rules of others for different ones.
      if (!isCode(error, "EEXIST")) throw error;
      // Another one that is being added at the same time has had its answer by then.
      await setImmediate();
      const duplicate = this.duplicateOf(key, value, handle);
      if (duplicate === undefined) {
        this.made.set(key, request);
        return;
      }
      this.parts.duplicateValues.lost(key, duplicate);
      const message = `${duplicate} is the same rule to the kernel: its namespace is the same one; delete one of them`;
      throw new InvalidInputError(SAME_RULE, `${key}: ${message}`, { key, field: "namespace" });
    }
  }

  /** Another value that has put the same rule there. */
  private duplicateOf(key: string, value: Rule, { identity }: NamespaceHandle): string | undefined {
    const { scheduler, leases } = this.parts;
    return scheduler.statuses(`${RULE_PREFIX}${value.priority ?? 0}`).find((other) => {
      const desired: Rule | undefined = other.key === key ? undefined : scheduler.desired(other.key);
      if (desired === undefined || leases.get(other.key)?.handle.identity !== identity) return false;
      return isDeepStrictEqual(plainRule({ ...desired, ...sameNamespace(value) }), plainRule(value));
    })?.key;
  }

  private requestOf(value: Rule): KernelRule {
    return kernelRule(value, (name) => this.parts.interfaces.get(name)?.hostName ?? name);
  }

  private async remove(request: KernelRule, handle: NamespaceHandle): Promise<void> {
    try {
      await handle.ruleDel(request);
    } catch (error) {
      if (!isCode(error, ...GONE)) throw error;
    }
  }

  private hostNameOf(key: string, value: Rule, name: string, handle: NamespaceHandle): string {
    const metadata = this.parts.interfaces.get(name);
    if (metadata?.namespaceIdentity === handle.identity) return metadata.hostName;
    const field = value.in_interface === name ? "in_interface" : "out_interface";
    const message = `interface ${name} is not in ${namespaceText(value.namespace)}`;
    throw new SouthboundError("ENODEV", `${key}: ${field}: ${message}`, { key, field });
  }

  private nameOf(hostName: string, { identity }: NamespaceHandle): string {
    const ours = this.parts.interfaces.byHostName(hostName).find((each) => each.namespaceIdentity === identity);
    return ours?.name ?? hostName;
  }
}

interface Found {
  readonly rule: RetrievedRule;
  readonly identity: string;
}

/**
 * Which expected values the rules of a namespace are, by their places in the list: those that are as expected first, then those of the
 * same priority and family, which are changed. The others are nobody's.
 */
function matchedKeys(values: readonly Rule[], expected: readonly RetrievedRule[]): ReadonlyMap<number, RetrievedRule> {
  const found = new Map<number, RetrievedRule>();
  const taken = new Set<string>();
  const isSame = (a: Rule, b: Rule): boolean =>
    isDeepStrictEqual(plainRule({ ...a, ...sameNamespace(b) }), plainRule(b));
  const isInPlace = (a: Rule, b: Rule): boolean => a.priority === b.priority && ruleFamily(a) === ruleFamily(b);
  for (const fits of [isSame, isInPlace]) {
    for (const [index, value] of values.entries()) {
      const match = found.has(index)
        ? undefined
        : expected.find((each) => !taken.has(each.key) && fits(value, each.value));
      if (match === undefined) continue;
      found.set(index, match);
      taken.add(match.key);
    }
  }
  return found;
}

function asItIs(name: string): string {
  return name;
}

function sameNamespace({ namespace }: Rule): Pick<Rule, "namespace"> {
  return namespace === undefined ? {} : { namespace };
}
