import test from "ava";
import { AgentCloseError, PluginError } from "#core/agent/index.js";
import { BugError, SouthboundError, TenutoError } from "#core/errors.js";
import { agentOf, logLines, recording, thrownBy } from "./support/agents.js";

/** What fails on purpose. */
const refuse = (): never => {
  throw new SouthboundError("EPERM", "the kernel refused: needs CAP_NET_ADMIN");
};

/** A step that never ends by itself. */
const hang = (): Promise<void> => new Promise(() => undefined);

test("init and afterInit run in flavor order, every init before the first afterInit, and close in reverse", async (t) => {
  const journal: string[] = [];
  const agent = agentOf(["a", "b", "c"].map((name) => recording(name, journal)));
  await agent.start();
  await agent.close();
  t.deepEqual(journal, [
    ...["a.init", "b.init", "c.init"],
    ...["a.afterInit", "b.afterInit", "c.afterInit"],
    ...["c.close", "b.close", "a.close"],
  ]);
});

test("a step is awaited before the next one begins", async (t) => {
  const journal: string[] = [];
  const agent = agentOf([
    recording("slow", journal, {
      init: async () => {
        await new Promise((resolve) => setImmediate(resolve));
        journal.push("slow is ready");
      },
    }),
    recording("next", journal),
  ]);
  await agent.start();
  t.deepEqual(journal.slice(0, 3), ["slow.init", "slow is ready", "next.init"]);
  await agent.close();
});

test("a plugin whose init fails is closed with those before it, and the error names plugin, step and cause", async (t) => {
  const journal: string[] = [];
  const agent = agentOf([
    recording("a", journal),
    recording("netlink", journal, { init: refuse }),
    recording("c", journal),
  ]);
  const error = await thrownBy(PluginError, () => agent.start());
  t.is(error.message, "plugin netlink: init failed: the kernel refused: needs CAP_NET_ADMIN");
  t.is(error.code, "PLUGIN_START_FAILED");
  t.is(error.kind, "southbound");
  t.is(error.plugin, "netlink");
  t.is(error.step, "init");
  t.true(error.cause instanceof SouthboundError);
  t.deepEqual(journal, ["a.init", "netlink.init", "netlink.close", "a.close"]);
});

test("when afterInit fails, all plugins are closed", async (t) => {
  const journal: string[] = [];
  const agent = agentOf([recording("a", journal, { afterInit: refuse }), recording("b", journal)]);
  const error = await thrownBy(PluginError, () => agent.start());
  t.is(error.step, "afterInit");
  t.deepEqual(journal, ["a.init", "b.init", "a.afterInit", "b.close", "a.close"]);
});

test("closing after a failed start closes nothing twice", async (t) => {
  const journal: string[] = [];
  const agent = agentOf([recording("a", journal, { init: refuse })]);
  await t.throwsAsync(agent.start());
  await agent.close();
  t.deepEqual(journal, ["a.init", "a.close"]);
});

test("closing twice closes once, also when both calls come at the same time", async (t) => {
  const journal: string[] = [];
  const agent = agentOf([recording("a", journal)]);
  await agent.start();
  await Promise.all([agent.close(), agent.close()]);
  await agent.close();
  t.is(journal.filter((step) => step === "a.close").length, 1);
});

test("a failing close does not keep the other plugins from closing, and every failure is reported", async (t) => {
  const journal: string[] = [];
  const broken = { close: refuse };
  const agent = agentOf([recording("a", journal), recording("b", journal, broken), recording("c", journal, broken)]);
  await agent.start();
  const error = await thrownBy(AgentCloseError, () => agent.close());
  t.deepEqual(
    error.errors.map(({ plugin, step }) => `${plugin}.${step}`),
    ["c.close", "b.close"],
  );
  t.true(journal.includes("a.close"));
});

for (const [step, field] of [
  ["init", "init_timeout"],
  ["afterInit", "after_init_timeout"],
] as const) {
  test(`${step} that overruns agent.${field} stops the start`, async (t) => {
    const journal: string[] = [];
    const agent = agentOf([recording("stuck", journal, { [step]: hang })], { assignments: [`agent.${field}=5ms`] });
    const error = await thrownBy(PluginError, () => agent.start());
    t.is(error.message, `plugin stuck: ${step} failed: took longer than 5 ms (agent.${field})`);
    t.is((error.cause as TenutoError).code, "DEADLINE_EXCEEDED");
    t.is(journal.at(-1), "stuck.close");
  });
}

test("close that overruns its deadline is left behind, and the rest is closed", async (t) => {
  const journal: string[] = [];
  const agent = agentOf([recording("a", journal), recording("stuck", journal, { close: hang })], {
    assignments: ["agent.close_timeout=5ms"],
  });
  await agent.start();
  const error = await thrownBy(AgentCloseError, () => agent.close());
  t.regex(error.message, /plugin stuck: close failed: took longer than 5 ms/);
  t.is(journal.at(-1), "a.close");
});

test("a step that fails after its deadline is logged, not lost", async (t) => {
  const log = logLines();
  let failLate = (_: Error): void => undefined;
  const late = new Promise<void>((_, reject) => {
    failLate = reject;
  });
  const agent = agentOf([recording("stuck", [], { init: () => late })], {
    assignments: ["agent.init_timeout=5ms"],
    logStream: log.stream,
  });
  await t.throwsAsync(agent.start());
  failLate(new Error("came too late"));
  await late.catch(() => undefined);
  const record = log.records.find(({ plugin, step }) => plugin === "stuck" && step === "init");
  t.is((record?.err as Error | undefined)?.message, "came too late");
});

test("closing while the agent starts stops the start after the running step", async (t) => {
  const journal: string[] = [];
  let closing: Promise<void> | undefined;
  const agent = agentOf([
    recording("a", journal, {
      init: () => {
        closing = agent.close();
      },
    }),
    recording("b", journal),
  ]);
  const error = await thrownBy(TenutoError, () => agent.start());
  t.is(error.code, "AGENT_CLOSED");
  await closing;
  t.deepEqual(journal, ["a.init", "a.close"]);
});

test("an agent starts once", async (t) => {
  const agent = agentOf([recording("a", [])]);
  await agent.start();
  t.is((await thrownBy(BugError, () => agent.start())).code, "AGENT_STARTED_TWICE");
  await agent.close();
  t.is((await thrownBy(BugError, () => agent.start())).code, "AGENT_STARTED_TWICE");
});

test("an agent that was never started can be closed", async (t) => {
  const journal: string[] = [];
  await agentOf([recording("a", journal)]).close();
  t.deepEqual(journal, []);
});

test("an agent is closed at the end of an `await using` block", async (t) => {
  const journal: string[] = [];
  {
    await using agent = agentOf([recording("a", journal)]);
    await agent.start();
  }
  t.is(journal.at(-1), "a.close");
});
