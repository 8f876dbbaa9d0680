import { execFileSync } from "node:child_process";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "ava";
import { readConfigurationFile } from "#core/config/index.js";
import { InvalidInputError } from "#core/errors.js";
import { thrownBy } from "./support/agents.js";

async function inFile<T>(name: string, text: string, use: (path: string) => Promise<T>): Promise<T> {
  const directory = await mkdtemp(join(tmpdir(), "tenuto-config-"));
  try {
    const path = join(directory, name);
    await writeFile(path, text);
    return await use(path);
  } finally {
    await rm(directory, { recursive: true });
  }
}

test("a YAML file gives label, flavor and sections", async (t) => {
  const file = await inFile(
    "tenuto.yaml",
    "label: t1\nflavor: nats\nnats:\n  url: nats://bus:4222\n",
    readConfigurationFile,
  );
  t.is(file.label, "t1");
  t.is(file.flavor, "nats");
  t.deepEqual(file.content.nats, { url: "nats://bus:4222" });
});

test("a JSON file says the same", async (t) => {
  const file = await inFile(
    "tenuto.json",
    '{"flavor":{"extends":"nats","without":["http"]},"nats":{}}',
    readConfigurationFile,
  );
  t.deepEqual(file.flavor, { name: "custom", extends: "nats", without: ["http"], plugins: [] });
  t.deepEqual(Object.keys(file.content), ["flavor", "nats"]);
});

test("an empty file is an empty configuration", async (t) => {
  t.deepEqual((await inFile("tenuto.yaml", "# nothing\n", readConfigurationFile)).content, {});
});

for (const [what, name, text, code, message] of [
  ["YAML that does not parse", "a.yaml", "nats:\n  url: [a\n", "CONFIG_SYNTAX", /a\.yaml: .*line \d+, column \d+/s],
  ["a key that comes twice", "a.yaml", "nats: {}\nnats: {}\n", "CONFIG_SYNTAX", /a\.yaml: .*unique.*line \d/s],
  ["JSON that does not parse", "a.json", "{", "CONFIG_SYNTAX", /a\.json: /],
  ["a list", "a.yaml", "- nats\n", "CONFIG_INVALID", /content \(.*a\.yaml\): was \["nats"\], expected object/],
  ["a label that is no text", "a.yaml", "label: 5\n", "CONFIG_INVALID", /label \(.*a\.yaml\): was 5, expected string/],
  [
    "an unknown field of flavor",
    "a.yaml",
    "flavor: {extend: nats}\n",
    "CONFIG_INVALID",
    /flavor\.extend \(.*a\.yaml\): unknown field.*; did you mean "extends"\?/,
  ],
  [
    "an unknown field of a plugin's place",
    "a.yaml",
    "flavor: {plugins: [{use: x, befor: http}]}\n",
    "CONFIG_INVALID",
    /flavor\.plugins\[0\]\.befor \(.*a\.yaml\): unknown field.*; did you mean "before"\?/,
  ],
  [
    "a plugin with two places",
    "a.yaml",
    "flavor: {plugins: [{use: x, before: http, after: nats}]}\n",
    "CONFIG_INVALID",
    /flavor\.plugins\[0\] \(.*\): was .*, expected one place: before, after or replace/,
  ],
  [
    "a flavor that is no text",
    "a.yaml",
    "flavor: 5\n",
    "CONFIG_INVALID",
    /flavor \(.*\): was 5, expected string or expected object/,
  ],
] as const) {
  test(`${what} is refused with the file's name`, async (t) => {
    const error = await thrownBy(InvalidInputError, () => inFile(name, text, readConfigurationFile));
    t.is(error.code, code);
    t.regex(error.message, message);
  });
}

test("a file that is not there is named", async (t) => {
  const error = await thrownBy(InvalidInputError, () => readConfigurationFile("/nowhere/tenuto.yaml"));
  t.is(error.code, "CONFIG_UNREADABLE");
  t.regex(error.message, /^cannot read configuration file \/nowhere\/tenuto\.yaml: no such file or directory$/);
});

test("a FIFO or a directory is no configuration file; nobody waits for a writer", async (t) => {
  const refused = (make: (path: string) => unknown): Promise<string> =>
    inFile("unused.yaml", "", async (path) => {
      await make(`${path}.odd`);
      return (await t.throwsAsync(readConfigurationFile(`${path}.odd`), { instanceOf: InvalidInputError })).message;
    });
  t.regex(await refused((path) => execFileSync("mkfifo", [path])), /is a FIFO, expected a regular file/);
  t.regex(await refused((path) => mkdir(path)), /is a directory, expected a regular file/);
  t.regex(await refused(() => undefined), /unused\.yaml\.odd: no such file or directory$/);
  t.deepEqual((await readConfigurationFile("/dev/null")).content, {});
});
