import { mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import test from "ava";
import { key, set } from "#test/orchestrator/support/agents.js";
import { Southbound } from "#test/orchestrator/support/southbound.js";
import { eventually } from "#test/support/eventually.js";
import { deadLetters, healthOf, interfaces, startWithFiles, temporaryDirectory } from "./support.js";

test("a directory of YAML and JSON is there when the agent has started", async (t) => {
  const path = temporaryDirectory(t);
  writeFileSync(
    join(path, "a.yaml"),
    `${interfaces("eth1")}---\n- {key: ${key("eth2")}, value: {name: eth2, type: DUMMY}}\n`,
  );
  writeFileSync(join(path, "b.json"), JSON.stringify({ changes: [set("eth3")] }));
  writeFileSync(join(path, "c.yml"), "# nothing yet\n");
  writeFileSync(join(path, "readme.txt"), "not: [for us");
  writeFileSync(join(path, ".a.yaml.swp"), "not: [for us");
  const started = await startWithFiles(t, path);
  t.deepEqual(started.southbound.names(), ["eth1", "eth2", "eth3"]);
  t.regex(healthOf(started)?.reason ?? "", /c\.yml says nothing: write "changes: \[\]" if nothing is desired/);
  rmSync(join(path, "c.yml"));
  await eventually(() => healthOf(started)?.state === "ok");
});

test("files that are added, changed and, where that is a wish, removed are followed", async (t) => {
  const path = temporaryDirectory(t);
  writeFileSync(join(path, "a.yaml"), interfaces("eth1"));
  const { southbound } = await startWithFiles(t, path, { section: { missing: "remove" } });
  writeFileSync(join(path, "b.yaml"), interfaces("eth2", "eth3"));
  await eventually(() => southbound.names().join() === "eth1,eth2,eth3");
  writeFileSync(join(path, "b.yaml.new"), interfaces("eth3", "eth4"));
  renameSync(join(path, "b.yaml.new"), join(path, "b.yaml"));
  await eventually(() => southbound.names().join() === "eth1,eth3,eth4");
  rmSync(join(path, "a.yaml"));
  await eventually(() => southbound.names().join() === "eth3,eth4");
  t.false(southbound.operations.includes("delete eth3"));
});

test("one file, replaced as editors do", async (t) => {
  const path = join(temporaryDirectory(t), "desired.yaml");
  writeFileSync(path, interfaces("eth1"));
  const { southbound } = await startWithFiles(t, path);
  t.deepEqual(southbound.names(), ["eth1"]);
  writeFileSync(`${path}~`, interfaces("eth2"));
  renameSync(`${path}~`, path);
  await eventually(() => southbound.names().join() === "eth2");
});

test("files changed all at once by a symbolic link, as a Kubernetes volume does", async (t) => {
  const path = temporaryDirectory(t);
  for (const [version, name] of [
    ["..v1", "eth1"],
    ["..v2", "eth2"],
  ] as const) {
    mkdirSync(join(path, version));
    writeFileSync(join(path, version, "a.yaml"), interfaces(name));
  }
  symlinkSync("..v1", join(path, "..data"));
  symlinkSync(join("..data", "a.yaml"), join(path, "a.yaml"));
  const { southbound } = await startWithFiles(t, path);
  t.deepEqual(southbound.names(), ["eth1"]);
  symlinkSync("..v2", join(path, "..data_new"));
  renameSync(join(path, "..data_new"), join(path, "..data"));
  await eventually(() => southbound.names().join() === "eth2");
});

test("a directory that is missing, comes, goes and comes again", async (t) => {
  const path = join(temporaryDirectory(t), "desired");
  const started = await startWithFiles(t, path);
  const { southbound } = started;
  t.like(healthOf(started), { state: "degraded" });
  t.regex(healthOf(started)?.reason ?? "", /desired: .*no such file/);
  mkdirSync(path);
  writeFileSync(join(path, "a.yaml"), interfaces("eth1"));
  await eventually(() => southbound.names().join() === "eth1");
  await eventually(() => healthOf(started)?.state === "ok");
  rmSync(path, { recursive: true });
  await eventually(() => healthOf(started)?.state === "degraded");
  t.deepEqual(southbound.names(), ["eth1"], "the last good state is kept");
  mkdirSync(path);
  writeFileSync(join(path, "a.yaml"), interfaces("eth2"));
  await eventually(() => southbound.names().join() === "eth2");
});

const BROKEN: readonly (readonly [
  what: string,
  text: string,
  letter: { line: number; key?: string; error: RegExp },
])[] = [
  ["no YAML", "linuxConfig:\n  interfaces: [\n", { line: 3, error: /Flow sequence/ }],
  ["an unknown section", "linuxConfig:\n  interfacez: []\n", { line: 2, error: /interfacez/ }],
  [
    "an unknown field",
    "linuxConfig:\n  interfaces:\n    - name: eth1\n      mtuu: 5\n",
    { line: 4, error: /interfaces\[0\].*mtuu/ },
  ],
  [
    "a wrong value",
    `${interfaces("eth1")}    - name: eth2\n      ip_addresses: []\n      mtu: big\n`,
    { line: 6, error: /interfaces\[1\]\.mtu: .*got "big"/ },
  ],
  [
    "a key that contradicts its value",
    `- key: ${key("eth1")}\n  value:\n    name: eth2\n`,
    { line: 3, key: key("eth1"), error: /eth1: .*eth2/ },
  ],
  [
    "the same key twice",
    `${interfaces("eth1")}    - name: eth1\n`,
    { line: 4, key: key("eth1"), error: /eth1: the same key is in .*:3/ },
  ],
  [
    "a deletion",
    `- key: ${key("eth1")}\n  delete: true\n`,
    { line: 1, key: key("eth1"), error: /leave it out of the files/ },
  ],
  [
    "an unknown key",
    "- key: config/nonsense\n  value: {}\n",
    { line: 2, key: "config/nonsense", error: /config\/nonsense/ },
  ],
  [
    "JSON with a wrong value",
    JSON.stringify(
      { changes: [set("eth1"), { key: key("eth2"), value: { name: "eth2", mtu: 'big: \\"' } }] },
      undefined,
      1,
    ),
    { line: 14, key: key("eth2"), error: /eth2: .*mtu/ },
  ],
  [
    "JSON with the same key twice",
    JSON.stringify([set("eth1"), set("eth1")], undefined, 1),
    { line: 11, key: key("eth1"), error: /eth1: the same key is in .*:4/ },
  ],
  ["JSON with the same name twice", '{\n"changes": [],\n"changes": []\n}', { line: 3, error: /unique/ }],
  ["YAML cut short in a list", `${interfaces("good")}    -\n`, { line: 4, error: /ends in the middle, as if it had/ }],
  ["YAML cut short after a name", `${interfaces("good")}  routes: # soon\n\n`, { line: 4, error: /write \[\] where/ }],
  ["no JSON", '{\n"changes": [\n', { line: 3, error: /Flow sequence/ }],
];

for (const [what, text, { line, key: of = "", error }] of BROKEN) {
  test(`${what}: reported with file, line and reason, and the last good state of all files is kept`, async (t) => {
    const path = temporaryDirectory(t);
    writeFileSync(join(path, "a.yaml"), interfaces("good"));
    writeFileSync(join(path, "b.yaml"), interfaces("other"));
    const started = await startWithFiles(t, path, { section: { missing: "remove" } });
    rmSync(join(path, "a.yaml"));
    writeFileSync(join(path, "b.yaml"), text);
    const letter = await eventually(() => deadLetters(started).find(({ origin }) => origin.endsWith(`b.yaml:${line}`)));
    t.is(letter.key, of);
    t.regex(letter.error, new RegExp(`b\\.yaml:${line}: .*${error.source}`, "s"));
    t.like(healthOf(started), { state: "degraded" });
    t.regex(healthOf(started)?.reason ?? "", /^the last good state is kept: /);
    t.deepEqual(started.southbound.names(), ["good", "other"]);

    writeFileSync(join(path, "b.yaml"), interfaces("better"));
    await eventually(() => started.southbound.names().join() === "better");
    await eventually(() => healthOf(started)?.state === "ok");
  });
}

test("files that are broken when the agent starts leave what they said before it ended", async (t) => {
  const path = temporaryDirectory(t);
  const store = temporaryDirectory(t);
  const southbound = new Southbound();
  writeFileSync(join(path, "a.yaml"), interfaces("eth1"));
  const first = await startWithFiles(t, path, { southbound, store });
  await first.agent.close();
  writeFileSync(join(path, "a.yaml"), "broken: [");
  const second = await startWithFiles(t, path, { southbound, store });
  t.deepEqual(southbound.names(), ["eth1"]);
  t.deepEqual(southbound.operations, ["create eth1"]);
  t.like(healthOf(second), { state: "degraded" });
});

test("a value that its descriptor refuses is a dead letter with its place, and the others are applied", async (t) => {
  const path = temporaryDirectory(t);
  const started = await startWithFiles(t, path);
  writeFileSync(join(path, "a.yaml"), `${interfaces("eth1")}    - {name: eth2, mtu: 9001}\n`);
  const letter = await eventually(() => deadLetters(started)[0]);
  t.like(letter, { key: key("eth2"), origin: join(path, "a.yaml:4") });
  t.regex(letter.error, /eth2: mtu: was 9001/);
  t.deepEqual(started.southbound.names(), ["eth1"]);
});

test("a request has the say over a file, and the file's value comes back", async (t) => {
  const path = temporaryDirectory(t);
  writeFileSync(join(path, "a.yaml"), interfaces("eth1"));
  const { southbound, commit } = await startWithFiles(t, path);
  await commit({ changes: [set("eth1", { mtu: 1400 })] });
  t.like(southbound.values.get(key("eth1")), { mtu: 1400 });
  await commit({ changes: [{ key: key("eth1"), delete: true }] });
  t.deepEqual(southbound.values.get(key("eth1")), { name: "eth1", type: "DUMMY" });
});

test("not watched, files are read once", async (t) => {
  const path = temporaryDirectory(t);
  writeFileSync(join(path, "a.yaml"), interfaces("eth1"));
  const { southbound, northbound } = await startWithFiles(t, path, { section: { watch: false } });
  writeFileSync(join(path, "a.yaml"), interfaces("eth2"));
  await northbound.resync({ downstream: false });
  t.deepEqual(southbound.names(), ["eth1"]);
});
