/** What a plan and an outcome say to people, character by character: the result of a transaction on the left, the text on the right. */
import test from "ava";
import { isChange, valueChanges } from "#cli/plan.js";
import { outcomeText, planText } from "#cli/plan-text.js";
import type { OperationResult, TransactionResult, ValueStatus } from "#client/types.js";

const value = (key: string, state: ValueStatus["state"], more: Partial<ValueStatus> = {}): ValueStatus => ({
  key,
  state,
  error: "",
  last_operation: "UNDEFINED",
  details: [],
  ...more,
});

const operation = (
  operation: OperationResult["operation"],
  key: string,
  state: OperationResult["state"] = "CONFIGURED",
): OperationResult => ({ operation, key, state, error: "", derived: key.includes("derived") });

interface Case {
  readonly claim: string;
  readonly values: readonly ValueStatus[];
  readonly operations?: readonly OperationResult[];
  readonly before?: Readonly<Record<string, object>>;
  readonly after?: Readonly<Record<string, object>>;
  readonly plan: string;
  readonly outcome: string;
}

const veth = { name: "a", type: "VETH", mtu: 1500, ip_addresses: ["10.0.0.1/24"], veth: { peer_if_name: "b" } };

const CASES: readonly Case[] = [
  {
    claim: "a value that comes has all its fields, those of its messages by their paths",
    values: [value("a", "CONFIGURED")],
    operations: [operation("CREATE", "a"), operation("CREATE", "derived/a")],
    after: { a: veth },
    plan: `+ a
    name: a
    type: VETH
    mtu: 1500
    ip_addresses: 10.0.0.1/24
    veth.peer_if_name: b

Plan: 1 to create, 0 to change, 0 to delete.
`,
    outcome: "+ a\n: 1 created",
  },
  {
    claim: "a change has the fields that differ, old and new, and of a list what comes and goes",
    values: [value("a", "CONFIGURED")],
    operations: [operation("UPDATE", "a")],
    before: { a: veth },
    after: { a: { ...veth, mtu: 9000, ip_addresses: ["10.0.0.2/24"], enabled: true, veth: { peer_if_name: "c" } } },
    plan: `~ a
    mtu: 1500 → 9000
    ip_addresses: -10.0.0.1/24, +10.0.0.2/24
    veth.peer_if_name: b → c
    enabled: unset → true

Plan: 0 to create, 1 to change, 0 to delete.
`,
    outcome: "~ a\n: 1 changed",
  },
  {
    claim: "a change of parts only is a change of their value",
    values: [value("a", "CONFIGURED")],
    operations: [operation("DELETE", "derived/a")],
    before: { a: veth },
    after: { a: { ...veth, ip_addresses: [] } },
    plan: "~ a\n    ip_addresses: -10.0.0.1/24\n\nPlan: 0 to create, 1 to change, 0 to delete.\n",
    outcome: ": no changes",
  },
  {
    claim: "nothing changes",
    values: [value("a", "CONFIGURED"), value("b", "PENDING", { details: ["interface c"] })],
    before: { a: veth, b: veth },
    after: { a: veth, b: veth },
    plan: "No changes; 1 waiting.\n",
    outcome: "… b  waits for interface c\n: 1 waiting",
  },
  {
    claim: "what is re-created, and what follows from that: put back, gone until later, there at last",
    values: [value("a", "CONFIGURED")],
    operations: [
      operation("DELETE", "r1", "PENDING"),
      operation("DELETE", "r2", "PENDING"),
      operation("DELETE", "a", "PENDING"),
      operation("CREATE", "a"),
      operation("CREATE", "r1"),
      operation("CREATE", "r3"),
    ],
    before: { a: veth },
    after: { a: { ...veth, type: "TAP" } },
    plan: `± a  is deleted and created again: it cannot be changed in place
    type: VETH → TAP

As a consequence:
± r1  what it depends on changes
- r2  goes, and waits until it can be there again
+ r3  what it waited for is there

Plan: 1 to create, 0 to change, 2 to re-create, 1 to delete; 1 waiting.
`,
    outcome:
      "± a\n± r1\n+ r3\n- r2  goes, and waits until it can be there again\n: 1 created, 2 re-created, 1 deleted, 1 waiting",
  },
  {
    claim: "a value that goes, and one that was waiting and goes",
    values: [value("a", "REMOVED"), value("b", "REMOVED")],
    operations: [operation("DELETE", "a", "REMOVED")],
    before: { a: { name: "a", ip_addresses: ["10.0.0.1/24"] }, b: { name: "b" } },
    plan: "- a\n    name: a\n    ip_addresses: 10.0.0.1/24\n- b\n    name: b\n\nPlan: 0 to create, 0 to change, 2 to delete.\n",
    outcome: "- a\n: 1 deleted",
  },
  {
    claim: "problems come last, without the key a second time, and control characters are escaped",
    values: [value("b", "RETRYING", { error: "b: EINVAL: mtu\u001b[2J" }), value("a", "CONFIGURED")],
    operations: [operation("CREATE", "a")],
    after: { a: { name: "a b" } },
    plan: `! b  RETRYING: EINVAL: mtu\\x1b[2J
+ a
    name: "a b"

Plan: 1 to create, 0 to change, 0 to delete.
`,
    outcome: "+ a\n! b  RETRYING: EINVAL: mtu\\x1b[2J\n: 1 created, 1 with problems",
  },
];

for (const { claim, values, operations = [], before = {}, after = {}, plan, outcome } of CASES) {
  test(claim, (t) => {
    const result = { values, operations } as unknown as TransactionResult;
    const desired = { before: new Map(Object.entries(before)), after: new Map(Object.entries(after)) };
    t.is(planText(valueChanges(result, desired)), plan);
    const done = outcomeText(valueChanges(result));
    t.is(`${done.lines}: ${done.totals}`, outcome);
  });
}

test("of very many changes the first are listed, and all are counted", (t) => {
  const keys = Array.from({ length: 1000 }, (_, number) => `key${number}`);
  const result = {
    values: keys.map((key) => value(key, "CONFIGURED")),
    operations: keys.map((key) => operation("CREATE", key)),
  } as unknown as TransactionResult;
  const { lines, totals } = outcomeText(valueChanges(result));
  t.is(lines.split("\n").length, 202);
  t.regex(lines, / {2}and 800 more; `-o json` has them all\n$/);
  t.is(totals, "1000 created");
});

test("derived values are listed when they are asked for", (t) => {
  const operations = [operation("CREATE", "a"), operation("CREATE", "derived/a")];
  const changes = valueChanges({ values: [value("a", "CONFIGURED")], operations } as unknown as TransactionResult);
  t.true(changes.some(isChange));
  t.regex(
    planText(changes, operations),
    /\nOperations:\n {2}CREATE {2,}a {2}CONFIGURED\n {2}CREATE +derived\/a {2}CONFIGURED\n/,
  );
});
