import test from "ava";
import { placesOf, testFiles } from "#test/support/test-files.js";

const FILES = ["dist/test/linux/l3.test.js", "dist/test/linux/bonds.machine.test.js", "dist/test/nats/parts.test.js"];

const told: readonly (readonly [parameters: readonly string[], places: readonly string[]])[] = [
  [[], ["here", "machine"]],
  [["--match=*bond*"], ["here", "machine"]],
  [
    ["--match", "dist/test/linux/l3.test.js"],
    ["here", "machine"],
  ],
  [["dist/test/linux/l3.test.js"], ["here"]],
  [["./dist/test/linux/bonds.machine.test.js:12-20", "--verbose"], ["machine"]],
  [["dist/test/linux"], ["here", "machine"]],
  [["dist/test/nats/"], ["here"]],
  [["dist/test/*/*.machine.test.js"], ["machine"]],
  [["**/{bonds,ports}.*"], ["machine"]],
  [["dist/test/linux/l?.test.js", "-c", "1"], ["here"]],
  [["no/such/file"], ["here"]],
];

for (const [parameters, places] of told) {
  test(`tests run ${places.join(" and ")} that are asked for by: ${parameters.join(" ")}`, (t) => {
    t.deepEqual([...placesOf(parameters, FILES)].sort(), [...places]);
  });
}

test("every test file has a place", (t) => {
  t.true(testFiles().includes("dist/test/sandbox/test-files.test.js"));
  t.deepEqual([...placesOf([], testFiles())].sort(), ["here", "machine"]);
});
