/** Commands that tell what would change, what has changed and what differs. */
import ava from "ava";
import type { KeyValue } from "#client/types.js";
import { interfaceChange, KEY } from "#test/http/local-agent.js";
import { terminal } from "./support/terminal.js";

/** One after the other: every test starts programs, and all of them at once would starve each other. */
const test = ava.serial;

const good = interfaceChange("good");
const lonely = interfaceChange("lonely", { type: "VETH", veth: { peer_if_name: "nobody" } });

test("plan shows what apply would do, and its exit status whether that is anything", async (t) => {
  const { file, run } = await terminal(t);
  const path = await file("plan.json", JSON.stringify([good]));
  const text = `+ ${good.key}\n    name: good\n    type: DUMMY\n\nPlan: 1 to create, 0 to change, 0 to delete.\n`;
  t.like(await run(`plan -f ${path}`), { status: 0, stdout: text });
  t.like(await run(`apply -f ${path} --dry-run`), { status: 0, stdout: text });
  t.is((await run(`plan -f ${path} --detailed-exitcode`)).status, 2);
  t.like(await run(`apply -f ${path}`), { status: 0, stdout: `+ ${good.key}\nAPPLIED as transaction 2: 1 created\n` });
  t.like(await run(`apply -f ${path}`), { status: 0, stdout: "APPLIED as transaction 3: no changes\n" });
  t.like(await run(`plan -f ${path} --detailed-exitcode`), { status: 0, stdout: "No changes.\n" });
  const twice = await run("plan -f - --detailed-exitcode", JSON.stringify([good, good]));
  t.is(twice.status, 1);
  t.regex(twice.stderr, /rejected: .*twice/);
});

test("deleting what is not there says so and fails, unless it may be missing", async (t) => {
  const { run } = await terminal(t);
  await run("apply -f -", JSON.stringify([good, lonely]));
  const nothing = { status: 1, stdout: "", stderr: `tenuto: there is nothing under ${KEY}nope\n` };
  t.like(await run(`delete ${KEY}nope`), nothing);
  t.like(await run(`delete ${KEY}nope --ignore-missing`), { status: 0, stderr: "" });
  const partly = await run(`delete ${good.key} ${KEY}nope`);
  t.like(partly, { status: 1, stderr: nothing.stderr });
  t.regex(partly.stdout, /^- .*good\nAPPLIED as transaction \d+: 1 deleted\n$/);
  t.is((await run(`delete ${lonely.key}`)).status, 0);
});

test("dump shows either side, and diff the difference", async (t) => {
  const { file, json, run } = await terminal(t);
  await run("apply -f -", JSON.stringify([good, lonely]));
  const keys = async (view: string): Promise<readonly string[]> =>
    (await json<readonly KeyValue[]>(`dump --view ${view}`)).map(({ key }) => key);
  t.deepEqual(await keys("nb"), [good.key, lonely.key]);
  t.deepEqual(await keys("sb"), [good.key]);
  t.like(await run("diff"), { status: 1, stdout: `+ ${lonely.key}\n` });
  t.is((await run("diff --exit-zero")).status, 0);

  const path = await file(
    "change.json",
    JSON.stringify([interfaceChange("good", { mtu: 9000 }), interfaceChange("new")]),
  );
  t.is((await run(`diff -f ${path}`)).stdout, `~ ${good.key}\n    mtu: 9000, found nothing\n+ ${KEY}new\n`);
});

test("diff of files that the agent would reject says why, and fails", async (t) => {
  const { run } = await terminal(t);
  const { status, stdout, stderr } = await run("diff -f -", JSON.stringify([good, good]));
  t.is(status, 1);
  t.is(stdout, "");
  t.regex(stderr, /rejected: .*twice/);
});
