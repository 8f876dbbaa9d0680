import test from "ava";
import { failedFiles } from "#test/support/failed-files.js";

const FILES = ["e2e/lost-store", "e2e/lost", "linux/types.machine", "a/a", "a/b", "a/c", "a/d"].map(
  (name) => `dist/test/${name}.test.js`,
);

test("files are found by the titles of the tests that failed", (t) => {
  const report = `
  ✔ e2e › lost › all is well (3s)
  ✘ [fail]: e2e › lost-store › what is lost stays Rejected promise returned by test
  ✘ [fail]: linux › types.machine › a VRF is made
  ✘ [fail]: e2e › lost-store › another

  3 tests failed`;
  t.deepEqual(failedFiles(report, FILES, 3), {
    files: [FILES[0]!, FILES[2]!],
    titles: [
      "e2e › lost-store › what is lost stays Rejected promise returned by test",
      "linux › types.machine › a VRF is made",
      "e2e › lost-store › another",
    ],
  });
});

const NOTHING_TOLD = {
  "a failure outside a test": ["  ✘ [fail]: a › a › one\n", 2],
  "a test of no known file": ["  ✘ [fail]: z › z › one\n", 1],
  "no failure": ["  ✔ a › a › one\n", 0],
  "many failed files": [
    ["e2e › lost", "a › a", "a › b", "a › c", "a › d"].map((file) => `  ✘ [fail]: ${file} › one\n`).join(""),
    5,
  ],
} as const;

for (const [what, [report, failures]] of Object.entries(NOTHING_TOLD)) {
  test(`${what} is not run again`, (t) => {
    t.is(failedFiles(report, FILES, failures), undefined);
  });
}
