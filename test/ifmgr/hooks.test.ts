import { chmod, chown, lchown, link as linkFile, mkdir, readFile, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import test, { type ExecutionContext } from "ava";
import { interfaceKey } from "#proto/index.js";
import { agentProcess } from "#test/support/agent-process.js";
import { eventually } from "#test/support/eventually.js";
import { link, run } from "#test/support/sandbox.js";
import { existing, PlugAgent, register, temporaryDirectory } from "./support/agent.js";

/** Hooks run real programs for real interfaces. Every test has an interface of its own. */

async function plugIn(name: string): Promise<void> {
  await run(["ip", "link", "add", name, "type", "veth", "peer", "name", `${name}p`]);
}

/** A script in a directory of the test, owned by whoever runs it: root, in the sandbox. */
async function script(t: ExecutionContext, lines: readonly string[], mode = 0o755): Promise<string> {
  const path = join(temporaryDirectory(t), "hook");
  await writeFile(path, ["#!/bin/sh", ...lines, ""].join("\n"));
  await chmod(path, mode);
  return path;
}

async function linesOf(path: string): Promise<readonly string[]> {
  return (await readFile(path, "utf8")).trimEnd().split("\n");
}

test("hooks run around the work, in order, and are told what it is about", async (t) => {
  const report = join(temporaryDirectory(t), "report");
  const command = await script(t, [
    `echo "$1 $TENUTO_EVENT $TENUTO_ACTION $INTERFACE $TENUTO_LABEL $GREETING $HOME $(grep -c '"key"' $TENUTO_CANDIDATE) $(grep -c '"key"' $TENUTO_RUNNING) $TENUTO_TRANSACTION" >> ${report}`,
  ]);
  const hooks = (["BEFORE_APPLY", "AFTER_APPLY", "BEFORE_UNAPPLY", "AFTER_UNAPPLY"] as const).map((event) => ({
    interface: "tell*",
    event,
    command,
    arguments: ["one; two"],
    environment: { GREETING: "hello", INTERFACE: "forged" },
  }));
  const agent = await PlugAgent.start(t, { ifmgr: { hooks } });
  await agent.commit(register("tell0"), existing("tell0", { mtu: 1400 }));
  await plugIn("tell0");
  await agent.reaches("tell0", "PLUGGED");
  await run(["ip", "link", "delete", "tell0"]);
  await agent.reaches("tell0", "UNPLUGGED");

  const lines = await linesOf(report);
  t.deepEqual(
    lines.map((line) => line.replace(/ ifmgr-tell0-[0-9a-f-]{36}$/, "")),
    [
      "one; two BEFORE_APPLY apply tell0 plug hello  1 0",
      "one; two AFTER_APPLY apply tell0 plug hello  1 0",
      "one; two BEFORE_UNAPPLY remove tell0 plug hello  0 1",
      "one; two AFTER_UNAPPLY remove tell0 plug hello  0 1",
    ],
  );
  const ids = lines.map((line) => line.split(" ").at(-1));
  t.is(ids[0], ids[1]);
  const [applied] = agent.northbound.history().filter(({ id }) => id === ids[0]);
  t.like(applied, { source: "ifmgr", outcome: "APPLIED" });
});

test("a failing program that aborts keeps the configuration back until it succeeds", async (t) => {
  const directory = temporaryDirectory(t);
  const tries = join(directory, "tries");
  const command = await script(t, [`echo try >> ${tries}`, `test -e ${directory}/ready`]);
  const hooks = [{ interface: "keep0", event: "BEFORE_APPLY", command, on_failure: "abort" }];
  const agent = await PlugAgent.start(t, { ifmgr: { hooks } });
  await plugIn("keep0");
  await agent.commit(register("keep0"), existing("keep0", { mtu: 1400 }));
  await eventually(async () => (await linesOf(tries)).length >= 3, { what: "the third try" });
  t.like(await agent.status("keep0"), { state: "APPLYING", running: [] });
  t.regex((await agent.status("keep0"))?.error ?? "", /BEFORE_APPLY\) failed: it ended with status 1/);
  t.like(await link("keep0"), { mtu: 1500 });

  await writeFile(join(directory, "ready"), "");
  await agent.reaches("keep0", "PLUGGED");
  t.like(await link("keep0"), { mtu: 1400 });
});

test("a failing program that need not succeed does not hold anything up", async (t) => {
  const command = await script(t, ["exit 7"]);
  const hooks = [{ interface: "go0", event: "BEFORE_APPLY", command }];
  const agent = await PlugAgent.start(t, { ifmgr: { hooks } });
  await plugIn("go0");
  await agent.commit(register("go0"), existing("go0", { mtu: 1400 }));
  t.is((await agent.reaches("go0", "PLUGGED")).error, "");
});

test("a program that takes too long is stopped with its children", async (t) => {
  const directory = temporaryDirectory(t);
  const command = await script(t, [
    `trap "" TERM`,
    `sh -c 'echo $$ > ${directory}/child; exec sleep 600' &`,
    "wait; wait",
  ]);
  const hooks = [{ interface: "slow0", event: "AFTER_APPLY", command, timeout: "2s", on_failure: "abort" }];
  const agent = await PlugAgent.start(t, { ifmgr: { hooks } });
  await plugIn("slow0");
  await agent.commit(register("slow0"), existing("slow0", { mtu: 1400 }));
  const { error } = await agent.reaches("slow0", "PLUGGED");
  t.regex(error ?? "", /it was stopped after 2000 ms/);
  const child = Number(await readFile(`${directory}/child`, "utf8"));
  // It may be left as a zombie where nobody waits for orphans.
  const state = () => readFile(`/proc/${child}/stat`, "utf8").catch(() => "gone");
  t.true(await eventually(async () => /^gone$|\) [ZX] /.test(await state()), { what: "the child to end" }));
});

test("only root's programs run, and only those that nobody else can write or replace", async (t) => {
  const own = async (mode = 0o755) => await script(t, ["exit 0"], mode);
  const foreign = await own();
  await chown(foreign, 12345, 0);
  const changed = async (mode: number, path = "..") => {
    const program = await own();
    await chmod(join(program, path), mode);
    return program;
  };
  const garbage = await script(t, []);
  await writeFile(garbage, "\x7fELF, but not really");
  const open = temporaryDirectory(t);
  await chmod(open, 0o1777);
  await symlink(await own(), join(open, "theirs"));
  await lchown(join(open, "theirs"), 12345, 0);
  const linked = join(open, "linked");
  await writeFile(linked, "#!/bin/sh\n", { mode: 0o755 });
  await linkFile(linked, `${linked}-too`);
  const detour = temporaryDirectory(t);
  await symlink(await changed(0o775), join(detour, "program"));
  const fifo = join(temporaryDirectory(t), "fifo");
  await run(["mkfifo", "-m", "755", fifo]);
  await symlink(join(detour, "loop"), join(detour, "loop"));
  const reasons: readonly (readonly [command: string, reason: RegExp])[] = [
    [await own(0o757), /anybody can write \/.*hook \(mode 0757\); take that away: chmod go-w/],
    [await own(0o775), /group 0 can write \/.*hook \(mode 0775\)/],
    [foreign, /hook belongs to user 12345, not to root \(mode 0755\)/],
    [await own(0o644), /is not an executable file \(mode 0644\)/],
    [await changed(0o777), /anybody can write \/\S+ \(mode 0777\)/],
    [await changed(0o775), /group 0 can write \/\S+ \(mode 0775\)/],
    [join(detour, "program"), /group 0 can write \/\S+ \(mode 0775\)/],
    [join(detour, "loop"), /more than 40 links/],
    [join(open, "theirs"), /theirs belongs to user 12345/],
    [linked, /linked has more than one name/],
    [fifo, /is not an executable file/],
    [join(foreign, "below"), /hook belongs to user 12345/],
    ["/nowhere/to/be/found", /there is no such file/],
    [garbage, /it could not be started: .*ENOEXEC|it ended with status/],
  ];
  const hooks = reasons.map(([command], position) => ({
    interface: `safe${position}`,
    event: "BEFORE_APPLY",
    command,
    on_failure: "abort",
  }));
  const agent = await PlugAgent.start(t, { ifmgr: { hooks } });
  for (const [position, [command, reason]] of reasons.entries()) {
    const name = `safe${position}`;
    await plugIn(name);
    await agent.commit(register(name), existing(name, { mtu: 1400 }));
    await eventually(async () => reason.test((await agent.status(name))?.error ?? ""), {
      what: `${command}: ${reason}`,
    });
  }
  t.pass();
});

test("the file that was checked is executed, through links of root's, and knows its name", async (t) => {
  const directory = temporaryDirectory(t);
  const command = await script(t, [`echo "$TENUTO_HOOK $(cat "$0" | head -1)" >> ${directory}/report`]);
  await symlink(command, join(directory, "first"));
  await symlink("../".repeat(20) + join(directory, "first").slice(1), join(directory, "second"));
  const named = join(directory, "second");
  const binary = { interface: "run0", event: "BEFORE_APPLY", command: "/bin/true", on_failure: "abort" };
  const hooks = [binary, { ...binary, command: named }];
  const agent = await PlugAgent.start(t, { ifmgr: { hooks } });
  await plugIn("run0");
  await agent.commit(register("run0"), existing("run0", { mtu: 1400 }));
  t.is((await agent.reaches("run0", "PLUGGED")).error, "");
  t.deepEqual(await linesOf(join(directory, "report")), [`${named} #!/bin/sh`]);
});

test("an agent that is killed takes a running program and its children along", async (t) => {
  const directory = temporaryDirectory(t);
  const command = await script(t, [`sh -c 'echo $$ > ${directory}/child; exec sleep 600' &`, "wait"]);
  const hooks = [{ interface: "die0", event: "BEFORE_APPLY", command, timeout: "10m" }];
  await plugIn("die0");
  const configuration = {
    store: { directory: join(directory, "store") },
    ifmgr: { interfaces: ["die0"], hooks },
    nats: { url: "" },
  };
  const agent = await agentProcess({ label: "die", flavor: "ifmgr", until: "alive", configuration });
  t.teardown(() => agent.stop());
  const changes = [existing("die0", { mtu: 1400 })];
  await agent.request("POST", "/v1/transactions", { changes });
  const child = await eventually(async () => Number(await readFile(`${directory}/child`, "utf8")) || undefined);
  await agent.kill9();
  const state = () => readFile(`/proc/${child}/stat`, "utf8").catch(() => "gone");
  t.true(await eventually(async () => /^gone$|\) [ZX] /.test(await state()), { what: "the child to end" }));
});

test("a registration names programs of the hook directory only", async (t) => {
  const directory = temporaryDirectory(t);
  await mkdir(join(directory, "hooks"));
  await writeFile(join(directory, "hooks", "good"), `#!/bin/sh\necho "$HOOK_WORD" > ${directory}/report\n`, {
    mode: 0o755,
  });
  const agent = await PlugAgent.start(t, { ifmgr: { hook_directory: join(directory, "hooks") } });
  await plugIn("bus0");
  const good = { event: "AFTER_APPLY", command: join(directory, "hooks/good"), environment: { HOOK_WORD: "hi" } };
  const bad = { event: "AFTER_APPLY", command: "/bin/sh", arguments: ["-c", "exit 0"], required: true };
  await agent.commit(register("bus0", { hooks: [good, bad] }), existing("bus0", { mtu: 1400 }));
  const { error } = await agent.reaches("bus0", "PLUGGED");
  t.regex(error ?? "", /\/bin\/sh is not run: programs that a registration names must be in /);
  t.deepEqual(await linesOf(join(directory, "report")), ["hi"]);
});

for (const [what, value, field] of [
  ["a hook without an event", { hooks: [{ command: "/bin/true" }] }, "hooks[0].event"],
  ["a program that is no absolute path", { hooks: [{ event: "AFTER_APPLY", command: "true" }] }, "hooks[0].command"],
  [
    "a variable that a loader would heed",
    { hooks: [{ event: "AFTER_APPLY", command: "/x", environment: { LD_PRELOAD: "/tmp/x" } }] },
    "hooks[0].environment",
  ],
] as const) {
  test(`a registration with ${what} is rejected by name`, async (t) => {
    const agent = await PlugAgent.start(t);
    const result = await agent.commit(register("refused0", value));
    t.is(result.outcome, "REJECTED");
    t.true(result.error.includes(field), result.error);
    t.deepEqual(await agent.request("get"), []);
  });
}

test("what a held value cannot be is refused when it is sent", async (t) => {
  const agent = await PlugAgent.start(t);
  const result = await agent.commit(register("wrong0"), existing("wrong0", { ip_addresses: ["10.1.2.3"] }));
  t.is(result.outcome, "REJECTED");
  t.regex(result.error, /ip_addresses\[0\]/);
  t.deepEqual(agent.northbound.get(interfaceKey("wrong0")), []);
  t.deepEqual(await agent.request("get"), []);
});
