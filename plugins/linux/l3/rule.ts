import { isDeepStrictEqual } from "node:util";
import { SouthboundError } from "#core/errors.js";
import type { Dependency, Descriptor, InvalidField, RetrievedValue } from "#core/scheduler/types.js";
import type { NamespaceHandle } from "#plugins/netlink/index.js";
import { interfaceKey, RULE_PREFIX, type Rule, ruleKey } from "#proto/index.js";
import { INTERFACE_DESCRIPTOR, type InterfaceIndex } from "../interfaces/index.js";
import { isCode, type Namespaces, namespaceText, type SurveyedNamespace } from "../namespaces/index.js";
import { TENUTO_PROTOCOL } from "../protocol.js";
import type { ValueLeases } from "./leases.js";
import { kernelRule, plainRule, ruleValue } from "./rule-kernel.js";
import { validateRule } from "./rule-validation.js";

/** What deleting a rule says when it is gone already, or when its family is not there. */
const GONE = ["ENOENT", "EAFNOSUPPORT", "ESRCH"] as const;

type RetrievedRule = RetrievedValue<Rule, undefined>;

export interface RuleDescriptorParts {
  readonly interfaces: InterfaceIndex;
  readonly namespaces: Namespaces;
  readonly leases: ValueLeases;
}

/**
 * Policy rules, marked as ours by FRA_PROTOCOL. The mark does not say which agent made a rule: only one agent on a host should
 * configure rules of a namespace. The kernel cannot change a rule: the new one is added before the old one goes.
 */
export class RuleDescriptor implements Descriptor<Rule, undefined> {
  readonly name = "linux-rule";
  readonly prefix = RULE_PREFIX;
  readonly retrieveAfter = [INTERFACE_DESCRIPTOR];

  constructor(private readonly parts: RuleDescriptorParts) {}

  validate(_key: string, value: Rule): readonly InvalidField[] {
    return validateRule(value);
  }

  dependencies(_key: string, value: Rule): readonly Dependency[] {
    const names = [value.in_interface, value.out_interface].flatMap((name) => name || []);
    return [
      ...this.parts.namespaces.dependencies(value.namespace),
      ...names.map((name) => ({ label: `interface ${name}`, key: interfaceKey(name) })),
    ];
  }

  equivalent(_key: string, a: Rule, b: Rule): boolean {
    return isDeepStrictEqual(plainRule(a), plainRule(b));
  }

  async create(key: string, value: Rule): Promise<undefined> {
    await this.parts.leases.during(key, value.namespace, (lease) => this.#add(key, value, lease.handle));
  }

  updateWithRecreate(_key: string, oldValue: Rule, newValue: Rule): boolean {
    return namespaceText(oldValue.namespace) !== namespaceText(newValue.namespace);
  }

  async update(key: string, oldValue: Rule, newValue: Rule): Promise<undefined> {
    await this.parts.leases.during(key, newValue.namespace, async ({ handle }) => {
      await this.#add(key, newValue, handle);
      await this.#remove(oldValue, handle);
    });
  }

  async delete(key: string, value: Rule): Promise<void> {
    const lease = this.parts.leases.get(key);
    if (lease === undefined) return;
    await this.#remove(value, lease.handle);
    this.parts.leases.drop(key);
  }

  async retrieve(
    correlate: readonly RetrievedValue<Rule, undefined>[],
    only?: ReadonlySet<string>,
  ): Promise<readonly RetrievedRule[]> {
    const expected = new Map(correlate.map(({ key, value }) => [key, value]));
    const references = correlate.map(({ value }) => value.namespace);
    const surveyed = await this.parts.namespaces.survey(references, { named: only === undefined });
    try {
      const found = await Promise.all(surveyed.map((namespace) => this.#read(namespace, expected)));
      const rules = chosen(found.flat(), expected);
      await Promise.all(
        rules.map(({ rule, identity }) => this.parts.leases.adopt(rule.key, rule.value.namespace, identity)),
      );
      return rules.map(({ rule }) => rule);
    } finally {
      for (const { lease } of surveyed) lease.release();
    }
  }

  async #read(
    { references, lease: { handle } }: SurveyedNamespace,
    expected: ReadonlyMap<string, Rule>,
  ): Promise<Found[]> {
    const rules = await handle.ruleList();
    return rules
      .filter(({ protocol }) => protocol === TENUTO_PROTOCOL)
      .map((rule): Found => {
        const key = ruleKey(rule.priority);
        const wanted = namespaceText(expected.get(key)?.namespace);
        const namespace = references.find((reference) => namespaceText(reference) === wanted) ?? references[0];
        const value = ruleValue(rule, (hostName) => this.#nameOf(hostName, handle));
        return {
          rule: { key, value: namespace === undefined ? value : { ...value, namespace }, origin: "northbound" },
          identity: handle.identity,
        };
      });
  }

  async #add(key: string, value: Rule, handle: NamespaceHandle): Promise<void> {
    const request = kernelRule(value, (name) => this.#hostNameOf(key, value, name, handle));
    try {
      await handle.ruleAdd(request);
    } catch (error) {
      // Of the same protocol number, so it is ours: the kernel takes rules of others for different ones.
      if (!isCode(error, "EEXIST")) throw error;
    }
  }

  async #remove(value: Rule, handle: NamespaceHandle): Promise<void> {
    const hostNameOf = (name: string): string => this.parts.interfaces.get(name)?.hostName ?? name;
    try {
      await handle.ruleDel(kernelRule(value, hostNameOf));
    } catch (error) {
      if (!isCode(error, ...GONE)) throw error;
    }
  }

  #hostNameOf(key: string, value: Rule, name: string, handle: NamespaceHandle): string {
    const metadata = this.parts.interfaces.get(name);
    if (metadata?.namespaceIdentity === handle.identity) return metadata.hostName;
    const field = value.in_interface === name ? "in_interface" : "out_interface";
    const message = `interface ${name} is not in ${namespaceText(value.namespace)}`;
    throw new SouthboundError("ENODEV", `${key}: ${field}: ${message}`, { key, field });
  }

  #nameOf(hostName: string, { identity }: NamespaceHandle): string {
    const ours = this.parts.interfaces.byHostName(hostName).find((each) => each.namespaceIdentity === identity);
    return ours?.name ?? hostName;
  }
}

interface Found {
  readonly rule: RetrievedRule;
  readonly identity: string;
}

/** One rule for each key; others of its priority get keys that nobody wants, so that a resync removes them. */
function chosen(all: readonly Found[], expected: ReadonlyMap<string, Rule>): readonly Found[] {
  const byKey = new Map<string, Found>();
  const others: Found[] = [];
  for (const found of all) {
    const { key, value } = found.rule;
    const known = byKey.get(key);
    const wanted = expected.get(key);
    const better =
      known === undefined || (wanted !== undefined && isDeepStrictEqual(plainRule(value), plainRule(wanted)));
    if (better) byKey.set(key, found);
    const worse = better ? known : found;
    if (worse !== undefined) others.push({ ...worse, rule: { ...worse.rule, key: `${key}#${others.length}` } });
  }
  return [...byKey.values(), ...others];
}
