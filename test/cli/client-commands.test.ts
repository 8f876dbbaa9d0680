import ava from "ava";
import { parse, parseAllDocuments } from "yaml";
import type { HistoryEntry, KeyValue, TransactionResult, ValueStatus } from "#client/types.js";
import type { Graph } from "#proto/index.js";
import { interfaceChange, KEY, REFUSED_MTU } from "#test/http/local-agent.js";
import { Child } from "#test/support/child.js";
import { eventually } from "#test/support/eventually.js";
import { tenutoProgram } from "#test/support/project.js";
import { terminal } from "./support/terminal.js";

/** One after the other: every test starts programs, and all of them at once would starve each other. */
const test = ava.serial;

const good = interfaceChange("good");
const bad = interfaceChange("bad", { mtu: REFUSED_MTU });
const lonely = interfaceChange("lonely", { type: "VETH", veth: { peer_if_name: "nobody" } });

const OUTCOMES = [
  { what: "applied", arguments: "", changes: [good], outcome: "APPLIED", status: 0, says: /^$/ },
  { what: "pending", arguments: "", changes: [lonely], outcome: "APPLIED", status: 0, says: /^$/ },
  { what: "planned", arguments: " --dry-run", changes: [good], outcome: "PLANNED", status: 0, says: /^$/ },
  { what: "unconfirmed", arguments: " --confirm 60s", changes: [good], outcome: "UNCONFIRMED", status: 0, says: /^$/ },
  {
    what: "partly applied",
    arguments: "",
    changes: [good, bad],
    outcome: "PARTIAL",
    status: 3,
    says: /partial: .*bad.*EINVAL/,
  },
  {
    what: "partly applied and unconfirmed",
    arguments: " --confirm 60s",
    changes: [good, bad],
    outcome: "UNCONFIRMED",
    status: 3,
    says: /unconfirmed: .*bad.*EINVAL/,
  },
  {
    what: "reverted",
    arguments: " --atomic",
    changes: [good, bad],
    outcome: "REVERTED",
    status: 1,
    says: /reverted: .*EINVAL/,
  },
  { what: "rejected", arguments: "", changes: [good, good], outcome: "REJECTED", status: 1, says: /rejected: .*twice/ },
] as const;

for (const { what, arguments: more, changes, outcome, status, says } of OUTCOMES) {
  test(`apply of what is ${what} ends with ${status}`, async (t) => {
    const { run } = await terminal(t);
    const result = await run(`apply -f -${more} -o json`, JSON.stringify(changes));
    t.is(result.status, status, result.stderr);
    t.is((JSON.parse(result.stdout) as TransactionResult).outcome, outcome);
    t.regex(result.stderr, says);
  });
}

test("apply reads YAML of several documents and files, Ligato's linuxConfig among them, as one transaction", async (t) => {
  const { file, json } = await terminal(t);
  const one = await file(
    "one.yaml",
    "linuxConfig:\n  interfaces:\n    - {name: a, type: DUMMY}\n    - {name: b, type: DUMMY}\n",
  );
  const two = await file(
    "two.yaml",
    `- key: ${KEY}c\n  value: {name: c, type: DUMMY}\n---\nchanges:\n- {key: ${KEY}d, value: {name: d, type: DUMMY}}\n`,
  );
  const { outcome, values } = await json<TransactionResult>(`apply -f ${one} ${two}`);
  t.is(outcome, "APPLIED");
  t.deepEqual(
    values.map(({ key }) => key.slice(KEY.length)),
    ["a", "b", "c", "d"],
  );
});

test("apply --replace removes what was set before and is not in the file", async (t) => {
  const { json, run } = await terminal(t);
  await run("apply -f -", JSON.stringify([interfaceChange("old"), good]));
  await run("apply -f - --replace", JSON.stringify([good]));
  t.deepEqual(
    (await json<readonly KeyValue[]>("get")).map(({ key }) => key),
    [good.key],
  );
});

test("a transaction that waits is kept by confirm, and reverted by cancel", async (t) => {
  const { json, run } = await terminal(t);
  for (const [command, id, left] of [
    ["confirm", "a", 1],
    ["cancel", "b", 1],
  ] as const) {
    const transaction = { id, confirm_timeout: "60s", changes: [interfaceChange(`eth-${id}`)] };
    t.regex((await run("apply -f -", JSON.stringify(transaction))).stdout, new RegExp(`tenuto confirm ${id}`));
    t.is((await run(`${command} ${id}`)).status, 0);
    t.is((await json<readonly KeyValue[]>("get")).length, left);
  }
});

test("a value is put, got and deleted", async (t) => {
  const { file, run } = await terminal(t);
  const path = await file("eth7.yaml", "name: eth7\ntype: DUMMY\nmtu: 1400\n");
  t.is((await run(`put ${KEY}eth7 ${path}`)).status, 0);
  t.deepEqual(parse((await run(`get ${KEY}eth7`)).stdout), { name: "eth7", type: "DUMMY", mtu: 1400 });
  t.deepEqual(JSON.parse((await run(`get ${KEY}eth7 -o json`)).stdout), { name: "eth7", type: "DUMMY", mtu: 1400 });
  t.regex((await run("get")).stdout, /^KEY +VALUE\nconfig\/.*eth7 +\{.*\}\n$/);
  t.is((await run(`delete ${KEY}eth7`)).status, 0);
  const gone = await run(`get ${KEY}eth7`);
  t.is(gone.status, 1);
  t.regex(gone.stderr, /nothing is configured under .*eth7/);
});

test("what get prints is what apply reads", async (t) => {
  const { json, run } = await terminal(t);
  await run("apply -f -", JSON.stringify([good, lonely]));
  const backup = (await run("get -o yaml")).stdout;
  await run(`delete ${good.key} ${lonely.key}`);
  t.is((await run("apply -f -", backup)).status, 0);
  t.deepEqual(
    (await json<readonly KeyValue[]>("get")).map(({ key }) => key),
    [good.key, lonely.key],
  );
});

test("status shows what is configured, what waits for what, and what failed why", async (t) => {
  const { json, run } = await terminal(t);
  await run("apply -f -", JSON.stringify([good, bad, lonely]));
  const { stdout } = await run("status");
  t.regex(stdout, /^KEY +STATE +DETAILS$/m);
  t.regex(stdout, /good +CONFIGURED$/m);
  t.regex(stdout, /bad +RETRYING +EINVAL: mtu/m);
  t.regex(stdout, /lonely +PENDING +.*nobody/m);
  const keys = async (filter: string): Promise<readonly string[]> =>
    (await json<readonly ValueStatus[]>(`status ${filter}`)).map(({ key }) => key);
  t.deepEqual(await keys("--pending"), [lonely.key]);
  t.deepEqual(await keys("--failed"), [bad.key]);
  t.deepEqual(await keys(good.key), [good.key]);
});

test("graph prints what depends on what, for Graphviz, for programs and as a picture", async (t) => {
  const { run } = await terminal(t);
  await run("apply -f -", JSON.stringify([good, lonely]));
  t.regex((await run("graph")).stdout, /^digraph .*\n.*"[^"]*lonely" -> "[^"]*nobody" \[style=dashed/s);
  t.regex((await run("graph --format svg")).stdout, /^<svg .*good<\/text>.*<\/svg>\n$/s);
  const { values, edges } = JSON.parse((await run("graph --format json")).stdout) as Graph;
  t.deepEqual(
    values.map(({ key, state }) => [key, state]),
    [
      [good.key, "CONFIGURED"],
      [lonely.key, "PENDING"],
    ],
  );
  t.like(edges[0], { relation: "DEPENDS_ON", from: lonely.key, to: `${KEY}nobody`, satisfied: false });
  t.deepEqual((JSON.parse((await run("graph --at 2001-01-01T00:00:00Z --format json")).stdout) as Graph).values, []);
  t.is((await run("graph --at yesterday")).status, 1);
});

test("history lists transactions, and one with its operations", async (t) => {
  const { json, run } = await terminal(t);
  const { seq } = await json<TransactionResult>(
    "apply -f -",
    JSON.stringify({ description: "the first", changes: [good] }),
  );
  t.regex((await run("history")).stdout, new RegExp(`^${seq} +\\S+ +\\d+ ms .*APPLIED +1 +the first$`, "m"));
  const entry = await run(`history ${seq}`);
  t.regex(entry.stdout, /^description: the first$/m);
  t.regex(entry.stdout, new RegExp(`^CREATE +${good.key} +CONFIGURED$`, "m"));
  t.is((await json<HistoryEntry>(`history ${seq}`)).seq, seq);
  t.is((await run("history 99999")).status, 1);
});

test("resync repairs and says so", async (t) => {
  const { run } = await terminal(t);
  const { status, stdout } = await run("resync --downstream");
  t.is(status, 0);
  t.regex(stdout, /^APPLIED/);
  t.like(await run("resync --prune --dry-run"), { status: 0, stdout: "nothing to remove\n" });
  const alone = await run("resync --dry-run");
  t.is(alone.status, 2);
  t.regex(alone.stderr, /--dry-run shows what --prune would remove/);
});

test("watch prints a line per event, beginning with the interfaces as they are", async (t) => {
  const { agent } = await terminal(t);
  agent.tell("eth7", "DOWN");
  const child = await Child.start([...tenutoProgram, "watch"], { env: { TENUTO_SOCKET: agent.socket } });
  t.teardown(() => child.stop());
  await eventually(() => child.stdout.includes("oper DOWN"), { what: "the state at the start" });
  agent.tell("eth7", "UP");
  agent.tell("eth7", "DELETED");
  await eventually(() => child.stdout.includes("DELETED"), { what: "the last event" });
  const lines = child.stdout
    .trimEnd()
    .split("\n")
    .map((line) => line.replace(/^\S+Z {2}/, ""));
  t.deepEqual(lines, ["eth7  admin UP  oper DOWN", "eth7  admin UP  oper UP", "eth7  DELETED"]);
});

test("watch of values and transactions ends after --count, as lines, JSON lines or YAML documents", async (t) => {
  const { agent } = await terminal(t);
  const watched = ["watch transactions --count 1", "watch values --count 1 -o json", "watch values --count 1 -o yaml"];
  const children = await Promise.all(
    watched.map((command) =>
      Child.start([...tenutoProgram, ...command.split(" ")], { env: { TENUTO_SOCKET: agent.socket } }),
    ),
  );
  let count = 0;
  // Watchers start when they start: transactions go on until all have seen one.
  await eventually(
    async () => {
      count += 1;
      await agent.send("POST", "/v1/transactions", { changes: [interfaceChange(`eth${count}`)] });
      return children.every(({ running }) => !running);
    },
    { what: "every watcher to have seen an event" },
  );
  const [lines, json, yaml] = children.map(({ stdout }) => stdout);
  t.regex(lines ?? "", /^\S+Z {2}#\d+ {2}APPLIED {2}1 operations {2}\S+\s*\n$/);
  t.like(JSON.parse(json ?? ""), { type: "io.tenuto.value.status", data: { state: "CONFIGURED" } });
  t.is(parseAllDocuments(yaml ?? "").length, 1);
});

test("a key may be asked for as other agents' orchestrators write it, with the agent's label before it", async (t) => {
  const { run, json } = await terminal(t);
  await run("apply -f -", JSON.stringify([interfaceChange("eth7")]));
  const key = `/vnf-agent/t1/${KEY}eth7`;
  t.like(await json(`get ${key}`), { name: "eth7" });
  t.like(await json(`status ${key}`), [{ key: `${KEY}eth7` }]);
  t.like(await json(`dump ${key}`), [{ key: `${KEY}eth7` }]);
  t.regex((await run(`get /vnf-agent/another/${KEY}eth7`)).stderr, /is for the agent another/);
});

test("output that nobody reads to its end is no failure", async (t) => {
  const { agent, run } = await terminal(t);
  const many = Array.from({ length: 2000 }, (_, number) => interfaceChange(`eth${number}`));
  t.is((await run("apply -f -", JSON.stringify(many))).status, 0);
  const command = `${tenutoProgram.join(" ")} status | head -n 1; echo "status \${PIPESTATUS[0]}"`;
  const child = await Child.start(["bash", "-c", command], { env: { TENUTO_SOCKET: agent.socket } });
  await child.exited;
  t.is(child.stdout, "KEY                                           STATE       DETAILS\nstatus 0\n");
  t.is(child.stderr, "");
});

test("who stops reading what was done still learns how it went", async (t) => {
  const { agent, file } = await terminal(t);
  const changes = Array.from({ length: 2000 }, (_, number) => interfaceChange(`eth${number}`));
  const path = await file("partly.json", JSON.stringify([...changes, interfaceChange("bad", { mtu: REFUSED_MTU })]));
  const command = `${tenutoProgram.join(" ")} apply -f ${path} -o json | head -n 1; echo "status \${PIPESTATUS[0]}"`;
  const child = await Child.start(["bash", "-c", command], { env: { TENUTO_SOCKET: agent.socket } });
  await child.exited;
  t.is(child.stdout, "{\nstatus 3\n");
  t.regex(child.stderr, /^tenuto: partial: .*bad: /);
});

test("a full disk below the output is told in a line", async (t) => {
  const { agent } = await terminal(t);
  const command = `${tenutoProgram.join(" ")} flavors > /dev/full; echo "status $?"`;
  const child = await Child.start(["bash", "-c", command], { env: { TENUTO_SOCKET: agent.socket } });
  await child.exited;
  t.is(child.stdout, "status 1\n");
  t.regex(child.stderr, /^tenuto: cannot write to standard output: .*ENOSPC[^\n]*\n$/);
});
