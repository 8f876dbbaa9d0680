import test from "ava";
import { divide, testFiles } from "#test/support/test-files.js";

const FILES = ["dist/test/linux/l3.test.js", "dist/test/linux/bonds.machine.test.js", "dist/test/nats/parts.test.js"];

const [L3, BONDS, PARTS] = FILES as [string, string, string];

const told: readonly (readonly [
  parameters: readonly string[],
  here: readonly string[] | undefined,
  machine: readonly string[] | undefined,
])[] = [
  [[], [], []],
  [["--match=*bond*"], ["--match=*bond*"], ["--match=*bond*"]],
  [
    ["--match", L3],
    ["--match", L3],
    ["--match", L3],
  ],
  [[L3], [L3], undefined],
  [[`./${BONDS}:12-20`, "--verbose"], undefined, ["--verbose", `${BONDS}:12-20`]],
  [["dist/test/linux"], [L3], [BONDS]],
  [["dist/test/nats/"], [PARTS], undefined],
  [["dist/test/*/*.machine.test.js"], undefined, [BONDS]],
  [["**/{bonds,ports}.*"], undefined, [BONDS]],
  [["dist/test/linux/l?.test.js", "-c", "1"], ["-c", "1", L3], undefined],
  [["no/such/file"], ["no/such/file"], undefined],
];

for (const [parameters, here, machine] of told) {
  test(`tests run here or in the machine, as their files' names say: ${parameters.join(" ")}`, (t) => {
    const divided = divide(parameters, FILES);
    t.deepEqual(divided.get("here"), here);
    t.deepEqual(divided.get("machine"), machine);
  });
}

test("every test file has a place", (t) => {
  const files = testFiles();
  t.true(files.includes("dist/test/sandbox/test-files.test.js"));
  const divided = divide(["dist/test"], files);
  t.is((divided.get("here")?.length ?? 0) + (divided.get("machine")?.length ?? 0), files.length);
});
