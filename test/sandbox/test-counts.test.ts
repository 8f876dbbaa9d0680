import test from "ava";
import { countTests } from "#test/support/test-counts.js";

const reports: readonly {
  readonly what: string;
  readonly report: string;
  readonly status: number;
  readonly counts: readonly [passed: number, failed: number, skipped: number];
}[] = [
  { what: "all passed", report: "  ✔ a (1.2s)\n  ✔ b\n  ─\n\n  2 tests passed\n", status: 0, counts: [2, 0, 0] },
  {
    what: "colors",
    report: "  \u001b[32m✔\u001b[39m a\n  \u001b[32m1 test passed\u001b[39m\n",
    status: 0,
    counts: [1, 0, 0],
  },
  {
    what: "a failure, whose difference looks like marks",
    report: "  ✔ a\n  ✘ [fail]: b\n  - [skip] c\n  ─\n  b\n\n  - 'x'\n  + 'y'\n\n  1 test failed\n  1 test skipped\n",
    status: 1,
    counts: [1, 1, 1],
  },
  {
    what: "an exception outside a test",
    report: "  ✔ a\n  1 test passed\n  1 uncaught exception\n",
    status: 1,
    counts: [1, 1, 0],
  },
  { what: "a time-out", report: "  ✔ a\n\n  ✘ Timed out while running tests\n", status: 1, counts: [1, 1, 0] },
  { what: "nothing to run", report: "  ✘ Couldn’t find any files to test\n", status: 1, counts: [0, 1, 0] },
];

for (const { what, report, status, counts } of reports) {
  test(`the closing line counts what ava reports: ${what}`, (t) => {
    const { passed, failed, skipped } = countTests(report, status);
    t.deepEqual([passed, failed, skipped], [...counts]);
  });
}
