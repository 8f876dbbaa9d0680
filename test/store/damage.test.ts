import { readdirSync, readFileSync, renameSync, rmSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import test from "ava";
import { Health } from "#core/health/index.js";
import { answer, contentOf, type OpenStore, openStore, temporaryDirectory, values } from "./support.js";

/** A file of the database, by the beginning or end of its name. */
function fileOf(directory: string, part: string): string {
  const name = readdirSync(join(directory, "db")).find((file) => file.startsWith(part) || file.endsWith(part));
  if (name === undefined) throw new Error(`no file ${part} in ${directory}/db`);
  return join(directory, "db", name);
}

/** Changes one byte, where the text is found first. */
function flipByte(path: string, text: string): void {
  const bytes = readFileSync(path);
  const position = bytes.indexOf(text);
  bytes[position] = (bytes[position] ?? 0) ^ 0xff;
  writeFileSync(path, bytes);
}

/**
 * A database as a crash leaves it: two values in a table (opening it once moved them there from the log), eight and an
 * answer in the log.
 */
async function fill(open: () => Promise<OpenStore>): Promise<void> {
  const first = await open();
  for (const key of ["a0", "a1"]) await first.store.write(values({ [key]: { text: key.repeat(100) } }));
  await first.agent.close();
  const second = await open();
  for (const key of ["b0", "b1", "b2", "b3", "b4", "b5", "b6", "b7"]) {
    await second.store.write(values({ [key]: { text: key.repeat(100) } }));
  }
  await second.store.write({ complete: true, result: answer("r") });
  await second.agent.close();
}

const DAMAGES: readonly (readonly [what: string, damage: (directory: string) => void, survivors: readonly string[]])[] =
  [
    ["the end of the log is cut off", (at) => truncateSync(fileOf(at, ".log"), 2000), ["a0", "a1", "b0"]],
    ["the log is empty", (at) => truncateSync(fileOf(at, ".log"), 0), ["a0", "a1"]],
    ["the log is gone", (at) => rmSync(fileOf(at, ".log")), ["a0", "a1"]],
    ["a byte in the middle of the log is wrong", (at) => flipByte(fileOf(at, ".log"), "b2"), ["a0", "a1", "b0"]],
    ["a table is gone", (at) => rmSync(fileOf(at, ".ldb")), ["b0", "b7"]],
    ["a table is cut off", (at) => truncateSync(fileOf(at, ".ldb"), 30), ["b0", "b7"]],
    ["a byte of a table is wrong", (at) => flipByte(fileOf(at, ".ldb"), "text"), ["b0", "b7"]],
    ["the manifest is gone", (at) => rmSync(fileOf(at, "MANIFEST")), ["a0", "a1", "b0", "b7"]],
    ["the manifest is cut off", (at) => truncateSync(fileOf(at, "MANIFEST"), 20), ["a0", "a1", "b0", "b7"]],
    ["CURRENT is garbage", (at) => writeFileSync(fileOf(at, "CURRENT"), "garbage"), ["a0", "a1", "b0", "b7"]],
    ["CURRENT is gone", (at) => rmSync(fileOf(at, "CURRENT")), ["a0", "a1", "b0", "b7"]],
    ["the whole database is gone", (at) => rmSync(join(at, "db"), { recursive: true }), []],
  ];

for (const [what, damage, survivors] of DAMAGES) {
  test(`${what}: noticed, set aside, reported, and what is readable survives`, async (t) => {
    const directory = temporaryDirectory(t);
    await fill(() => openStore(t, { directory }));
    damage(directory);

    const opened = await openStore(t, { directory });
    t.true(opened.store.damaged);
    t.false(opened.store.complete);
    const content = contentOf(opened).store ?? {};
    for (const key of survivors) t.deepEqual(content[key], { text: key.repeat(100) }, key);
    const aside = readdirSync(directory).filter((name) => name.startsWith("db.damaged-"));
    t.is(aside.length, 1);
    const health = opened.agent
      .get(Health)
      .plugins()
      .find(({ plugin }) => plugin === "store");
    t.is(health?.state, "degraded");
    t.regex(health?.reason ?? "", new RegExp(`damaged .*${directory}/db\\.damaged-`));

    await opened.store.write(values({ new: {} }));
    await opened.agent.close();
    const again = await openStore(t, { directory });
    t.false(again.store.damaged, "the new database is sound");
    t.false(again.store.complete, "what was lost stays lost");
    t.deepEqual(contentOf(again).store, { ...content, new: {} });
  });
}

test("a power failure in the middle of a write leaves everything that was acknowledged, and is no damage", async (t) => {
  for (const fraction of [0, 0.01, 0.3, 0.7, 0.99]) {
    const directory = temporaryDirectory(t);
    const { store, agent } = await openStore(t, { directory });
    const log = fileOf(directory, ".log");
    const acknowledged = join(directory, "acknowledged");
    for (const key of ["a", "b", "c"]) await store.write(values({ [key]: { text: key.repeat(100) } }));
    const [length, count] = [statSync(log).size, readFileSync(acknowledged)];
    await store.write(values({ d: { text: "d".repeat(1_000) } }));
    const whole = statSync(log).size;
    await agent.close();
    // So much of the last write had reached the disk, and nobody was told of it yet.
    truncateSync(log, length + Math.floor((whole - length) * fraction));
    writeFileSync(acknowledged, count);

    const opened = await openStore(t, { directory });
    t.false(opened.store.damaged, `${fraction}`);
    t.deepEqual(Object.keys(contentOf(opened).store ?? {}), ["a", "b", "c"], `${fraction}`);
    await opened.agent.close();
  }
});

test("a start that ended while the damaged database was being opened does not hide the damage", async (t) => {
  const directory = temporaryDirectory(t);
  await fill(() => openStore(t, { directory }));
  truncateSync(fileOf(directory, ".log"), 2000);
  const sound = await openStore(t, { directory });
  await sound.agent.close();
  const [aside = ""] = readdirSync(directory).filter((name) => name.startsWith("db.damaged-"));
  renameSync(join(directory, aside), join(directory, "db.before-open"));
  rmSync(join(directory, "db"), { recursive: true });

  const opened = await openStore(t, { directory });
  t.true(opened.store.damaged);
  t.deepEqual(Object.keys(contentOf(opened).store ?? {}).slice(0, 3), ["a0", "a1", "b0"]);
});

test("a sound database leaves nothing behind in its directory", async (t) => {
  const directory = temporaryDirectory(t);
  await fill(() => openStore(t, { directory }));
  t.deepEqual(readdirSync(directory).sort(), ["acknowledged", "db"]);
});
