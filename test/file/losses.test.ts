import { execFileSync } from "node:child_process";
import { closeSync, mkdirSync, openSync, renameSync, rmSync, symlinkSync, writeFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import test, { type ExecutionContext } from "ava";
import { Health } from "#core/health/index.js";
import type { TestAgent } from "#test/orchestrator/support/agents.js";
import { Southbound } from "#test/orchestrator/support/southbound.js";
import { eventually } from "#test/support/eventually.js";
import { deadLetters, healthOf, interfaces, startWithFiles, temporaryDirectory } from "./support.js";

for (const [missing, names] of [
  ["keep", ["eth1"]],
  ["remove", []],
] as const) {
  test(`a path that is not set any more, where what is missing is for ${missing}`, async (t) => {
    const path = temporaryDirectory(t);
    const store = temporaryDirectory(t);
    const southbound = new Southbound();
    writeFileSync(join(path, "a.yaml"), interfaces("eth1"));
    const first = await startWithFiles(t, path, { southbound, store });
    await first.agent.close();
    const second = await startWithFiles(t, "", { southbound, store, section: { missing } });
    t.deepEqual(southbound.names(), names);
    t.like(healthOf(second), { state: "ok" });
  });
}

function mount(t: ExecutionContext, place: string): void {
  execFileSync("mount", ["-t", "tmpfs", "tenuto-test", place]);
  t.teardown(() => execFileSync("sh", ["-c", `umount --lazy ${place} || true`], { stdio: "ignore" }));
}

function saidOf({ agent }: TestAgent): readonly string[] {
  return agent
    .get(Health)
    .plugins()
    .map(({ reason }) => reason);
}

interface Lost {
  readonly t: ExecutionContext;
  readonly directory: string;
  readonly a: string;
}

const LOSSES: readonly (readonly [what: string, lose: (where: Lost) => void, reason: RegExp])[] = [
  ["a file that is gone", ({ a }) => rmSync(a), /a\.yaml is gone or empty/],
  ["a file that is empty", ({ a }) => writeFileSync(a, ""), /a\.yaml is gone or empty/],
  ["a file of comments", ({ a }) => writeFileSync(a, "# linuxConfig:\n---\n# none\n"), /a\.yaml is gone or empty/],
  ["a file of another name", ({ a }) => renameSync(a, `${a}.orig`), /a\.yaml is gone or empty/],
  [
    "a directory that is empty, as where a volume was mounted",
    ({ directory }) => {
      renameSync(directory, `${directory}.away`);
      mkdirSync(directory);
    },
    /a\.yaml, .*b\.yaml are gone or empty/,
  ],
  [
    "a directory over which an empty volume is mounted",
    ({ t, directory }) => mount(t, directory),
    /a\.yaml, .*b\.yaml are gone or empty/,
  ],
  [
    "a link in place of the directory, to one that is empty",
    ({ directory }) => {
      renameSync(directory, `${directory}.away`);
      mkdirSync(`${directory}.other`);
      symlinkSync(`${directory}.other`, directory);
    },
    /a\.yaml, .*b\.yaml are gone or empty/,
  ],
];

for (const [what, lose, reason] of LOSSES) {
  test(`${what} takes nothing away, also over a restart, until a file says so`, async (t) => {
    const directory = join(temporaryDirectory(t), "desired");
    mkdirSync(directory);
    const [a, b] = [join(directory, "a.yaml"), join(directory, "b.yaml")];
    const store = temporaryDirectory(t);
    const southbound = new Southbound();
    writeFileSync(a, interfaces("eth1", "eth2", "eth3"));
    writeFileSync(b, interfaces("eth4", "eth5"));
    const first = await startWithFiles(t, directory, { southbound, store });
    lose({ t, directory, a });
    const orphans = ({ agent }: TestAgent) =>
      agent
        .get(Health)
        .plugins()
        .find(({ reason: text = "" }) => reason.test(text) && /has lost \d+ value/.test(text));
    await eventually(() => orphans(first) !== undefined, { what: String(reason) });
    writeFileSync(b, interfaces("eth4"));
    await eventually(() => !southbound.names().includes("eth5"), { what: "what was taken out of a file to go" });
    await first.agent.close();
    const second = await startWithFiles(t, directory, { southbound, store });
    t.deepEqual(southbound.names(), ["eth1", "eth2", "eth3", "eth4"]);
    t.truthy(orphans(second));

    writeFileSync(a, interfaces("eth1"));
    await eventually(() => southbound.names().join() === "eth1,eth4", { what: "the file's word" });
    await eventually(() => orphans(second) === undefined);
    writeFileSync(a, "changes: []\n");
    await eventually(() => southbound.names().join() === "eth4", { what: "an explicit empty document to empty" });
    writeFileSync(b, '{ "linuxConfig": {} }');
    await eventually(() => southbound.names().length === 0);
    t.like(healthOf(second), { state: "ok" });
  });
}

test("values that moved to another file are lost with none", async (t) => {
  const path = temporaryDirectory(t);
  writeFileSync(join(path, "a.yaml"), interfaces("eth1", "eth2"));
  const started = await startWithFiles(t, path);
  renameSync(join(path, "a.yaml"), join(path, "z.yaml"));
  writeFileSync(join(path, "b.yaml"), interfaces("eth3"));
  await eventually(() => started.southbound.names().join() === "eth1,eth2,eth3");
  writeFileSync(join(path, "z.yaml"), interfaces("eth2"));
  await eventually(() => started.southbound.names().join() === "eth2,eth3");
  t.deepEqual(
    started.southbound.operations.filter((operation) => operation.startsWith("delete")),
    ["delete eth1"],
  );
});

test("a file takes nothing away while it is being written", async (t) => {
  const path = temporaryDirectory(t);
  const file = join(path, "a.yaml");
  writeFileSync(file, interfaces("eth1", "eth2", "eth3"));
  const started = await startWithFiles(t, path);
  const fd = openSync(file, "w");
  writeSync(fd, interfaces("eth0", "eth1"));
  await eventually(() => /a\.yaml is being written/.test(healthOf(started)?.reason ?? ""));
  t.deepEqual(started.southbound.names(), ["eth1", "eth2", "eth3"]);
  writeSync(fd, "    - {name: eth2, type: DUMMY}\n");
  closeSync(fd);
  await eventually(() => started.southbound.names().join() === "eth0,eth1,eth2");
  await eventually(() => healthOf(started)?.state === "ok");
});

test("nothing but regular files southbound the directory is read, and of others nothing is told", async (t) => {
  const path = temporaryDirectory(t);
  const outside = join(temporaryDirectory(t), "shadow");
  writeFileSync(outside, "root:$6$s3cret:19000:0:99999:7:::\n");
  writeFileSync(join(path, "a.yaml"), interfaces("eth1"));
  const started = await startWithFiles(t, path, { section: { max_bytes: 1000 } });
  const odd = join(path, "odd.yaml");
  for (const [make, reason] of [
    [() => execFileSync("mkfifo", [odd]), /odd\.yaml: .*is a FIFO, expected a regular file/],
    [() => symlinkSync("/dev/zero", odd), /odd\.yaml: .*is a device/],
    [() => symlinkSync(outside, odd), /odd\.yaml: it leads out of .*, to a file that is not read/],
    [() => symlinkSync("odd.yaml", odd), /odd\.yaml: too many symbolic links/],
    [() => mkdirSync(odd), /odd\.yaml: .*is a directory/],
    [() => execFileSync("truncate", ["--size", "3G", odd]), /larger than 1000 bytes together \(file\.max_bytes\)/],
  ] as const) {
    make();
    await eventually(() => reason.test(healthOf(started)?.reason ?? ""), { what: String(reason) });
    rmSync(odd, { recursive: true });
    await eventually(() => healthOf(started)?.state === "ok");
  }
  t.false(JSON.stringify(deadLetters(started)).includes("s3cret"));
  t.deepEqual(started.southbound.names(), ["eth1"]);
});

test("a volume that is not mounted at the start, comes, goes and comes back takes nothing away", async (t) => {
  const directory = join(temporaryDirectory(t), "desired");
  const volume = `${directory}.volume`;
  for (const path of [directory, volume]) mkdirSync(path);
  writeFileSync(join(volume, "a.yaml"), interfaces("eth1", "eth2"));
  const store = temporaryDirectory(t);
  const southbound = new Southbound();
  const first = await startWithFiles(t, volume, { southbound, store });
  await first.agent.close();

  const started = await startWithFiles(t, directory, { southbound, store });
  const isLost = (): boolean => saidOf(started).some((reason) => /has lost \d+ values?: .*a\.yaml/.test(reason));
  await eventually(isLost, { what: "the loss to be told" });
  t.deepEqual(southbound.names(), ["eth1", "eth2"]);
  execFileSync("mount", ["--bind", volume, directory]);
  await eventually(() => !isLost(), { what: "the volume to be read" });
  writeFileSync(join(directory, "a.yaml"), interfaces("eth1"));
  await eventually(() => southbound.names().join() === "eth1", { what: "what the file does not say any more to go" });
  execFileSync("umount", [directory]);
  await eventually(isLost, { what: "the volume to be missed" });
  writeFileSync(join(volume, "a.yaml"), interfaces("eth1", "eth3"));
  execFileSync("mount", ["--bind", volume, directory]);
  t.teardown(() => execFileSync("umount", ["--lazy", directory]));
  await eventually(() => southbound.names().join() === "eth1,eth3", { what: "the volume that came back" });
  t.false(southbound.operations.includes("delete eth1"));
});
