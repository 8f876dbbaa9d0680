import test from "ava";
import type { Change, Transaction } from "#core/northbound/index.js";
import { key, remove, set, startAgent } from "./support/agents.js";

/** What is wrong, the transaction, and what the error says. The casts make what a careless client would send. */
const CASES: readonly (readonly [what: string, transaction: Partial<Transaction>, error: RegExp])[] = [
  ["no changes", { changes: [] }, /^changes: was empty/],
  ["no list of changes", {}, /^changes: was missing, expected a list/],
  [
    "a misspelt field",
    { dryrun: true, changes: [set("eth1")] } as Partial<Transaction>,
    /^dryrun: a transaction has no such field/,
  ],
  [
    "a bad mode",
    { mode: "MERGE" as "UPDATE", changes: [set("eth1")] },
    /^mode: was "MERGE", expected "UPDATE" or "REPLACE"/,
  ],
  [
    "a flag that is none",
    { atomic: "yes" as unknown as boolean, changes: [set("eth1")] },
    /^atomic: was "yes", expected true or false/,
  ],
  [
    "more changes than are allowed",
    { changes: new Array<Change>(1_000_000).fill(set("eth1")) },
    /^changes: are 1000001, expected at most 1000000 \(orchestrator\.max_transaction_changes\)/,
  ],
  [
    "more bad changes than anybody reads",
    { changes: new Array<Change>(3_000).fill({ key: "bad" }) },
    /^bad: .* \(and 999 more\)$/,
  ],
  ["an id that is too long", { id: "x".repeat(257), changes: [set("eth1")] }, /^id: .*at most 256/],
  [
    "a confirm_timeout that is no time",
    { confirm_timeout: "soon", changes: [set("eth1")] },
    /^confirm_timeout: was "soon"/,
  ],
  ["a confirm_timeout of nothing", { confirm_timeout: "0s", changes: [set("eth1")] }, /^confirm_timeout: was "0s"/],
  [
    "a confirm_timeout of days",
    { confirm_timeout: "48h", changes: [set("eth1")] },
    /^confirm_timeout: was "48h".*up to 24h/,
  ],
  ["a change that is none", { changes: [null as unknown as Change] }, /^changes\[0\]: was null/],
  ["a change without key", { changes: [{ key: "", value: {} }] }, /^changes\[0\]\.key was ""/],
  ["an unknown key", { changes: [{ key: "config/vpp/v2/interfaces/a", value: {} }] }, /config\/vpp\/v2\/interfaces\/a/],
  ["an unknown key to delete", { changes: [{ key: "config/nonsense", delete: true }] }, /config\/nonsense/],
  [
    "another agent's key",
    { changes: [{ key: `/vnf-agent/other/${key("a")}`, value: { name: "a" } }] },
    /vnf-agent\/other/,
  ],
  [
    "the same key twice",
    { changes: [set("eth1"), set("eth1", { mtu: 1400 })] },
    /eth1: changes\[1\]: the same key twice/,
  ],
  [
    "the same key in two spellings",
    { changes: [set("eth1"), { key: `/vnf-agent/t1/${key("eth1")}`, delete: true }] },
    /the same key twice/,
  ],
  ["a key that contradicts its value", { changes: [{ key: key("eth1"), value: { name: "eth2" } }] }, /eth1: .*"?eth2/],
  ["neither value nor delete", { changes: [{ key: key("eth1") }] }, /eth1: .*neither a value nor delete/],
  ["both value and delete", { changes: [{ ...set("eth1"), delete: true }] }, /eth1: .*both a value and delete/],
  [
    "a value that is no object",
    { changes: [{ key: key("eth1"), value: "up" as unknown as object }] },
    /eth1: value was "up"/,
  ],
  [
    "a misspelt field of a change",
    { changes: [{ ...set("eth1"), remove: true } as Change] },
    /eth1: .*no field remove/,
  ],
  [
    "a field that its message does not have",
    { changes: [{ key: key("eth1"), value: { name: "eth1", mtuu: 1 } }] },
    /eth1.*mtuu/,
  ],
  ["a field of the wrong type", { changes: [{ key: key("eth1"), value: { name: "eth1", mtu: "big" } }] }, /eth1.*mtu/],
  ["a value that is no protobuf", { changes: [{ key: key("eth1"), value: new Uint8Array([255]) }] }, /eth1/],
  [
    "a value that its descriptor refuses",
    { changes: [set("eth1", { mtu: 9001 })] },
    /eth1: mtu: was 9001, expected at most 9000/,
  ],
];

for (const [what, transaction, error] of CASES) {
  test(`${what}: REJECTED, with a reason that names it, and nothing is touched`, async (t) => {
    const { commit, southbound, northbound } = await startAgent(t);
    const good = set("good");
    const changes =
      transaction.changes === undefined || transaction.changes.length === 0
        ? {}
        : { changes: [good, ...transaction.changes] };
    const shifted = new RegExp(
      error.source.replace("changes\\[1\\]", "changes\\[2\\]").replace("changes\\[0\\]", "changes\\[1\\]"),
    );
    const result = await commit({ ...transaction, ...changes } as Transaction);
    t.like(result, { outcome: "REJECTED", seq: 0, operations: [] });
    t.regex(result.error, shifted);
    t.deepEqual(southbound.operations, []);
    t.deepEqual(northbound.get(), []);
    t.is((await commit({ changes: [good] })).outcome, "APPLIED");
  });
}

test("every wrong change is listed with its key", async (t) => {
  const { commit } = await startAgent(t);
  const result = await commit({
    changes: [
      set("good"),
      { key: key("a"), value: { name: "b" } },
      { key: key("c") },
      { key: "nonsense", delete: true },
    ],
  });
  t.regex(result.error, /\(and 2 more\)$/);
  t.deepEqual(
    result.values.map((value) => [value.key, value.state]),
    [
      [key("a"), "INVALID"],
      [key("c"), "INVALID"],
      ["nonsense", "INVALID"],
    ],
  );
});

test("a descriptor's refusal names the field in the value's details", async (t) => {
  const { commit } = await startAgent(t);
  const { values } = await commit({ changes: [set("good"), set("eth1", { mtu: 9001 })] });
  t.like(
    values.find((value) => value.key === key("eth1")),
    { state: "INVALID", last_operation: "VALIDATE" },
  );
  t.regex(values.find((value) => value.key === key("eth1"))?.details.join() ?? "", /mtu: was 9001/);
});

test("a dry run of something invalid is REJECTED as well", async (t) => {
  const { commit } = await startAgent(t);
  t.is((await commit({ dry_run: true, changes: [set("eth1", { mtu: 9001 })] })).outcome, "REJECTED");
  t.is((await commit({ dry_run: true, changes: [{ key: "nonsense", delete: true }] })).outcome, "REJECTED");
});

test("keys and values in any accepted spelling mean the same value", async (t) => {
  const { commit, northbound } = await startAgent(t);
  await commit({
    changes: [
      { key: `/vnf-agent/t1/${key("eth1")}`, value: { name: "eth1", type: 6, physAddress: "02:00:00:00:00:01" } },
    ],
  });
  t.deepEqual(northbound.get(), [
    { key: key("eth1"), value: { name: "eth1", type: "DUMMY", phys_address: "02:00:00:00:00:01" } },
  ]);
  await commit({ changes: [remove("eth1")] });
  t.deepEqual(northbound.get(), []);
});
