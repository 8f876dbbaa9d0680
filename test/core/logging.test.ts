import test from "ava";
import { InvalidInputError } from "#core/errors.js";
import { Logger, LogRegistry } from "#core/logging/index.js";
import { textLine } from "#core/logging/text-format.js";
import { inject, plugin } from "#core/plugin/index.js";
import { agentOf, type LogLines, logLines, thrownBy } from "./support/agents.js";

@plugin({ name: "speaker" })
class Speaker {
  constructor(@inject(Logger) private readonly log: Logger) {}

  speak(): void {
    this.log.debug({ key: "veth1" }, "quietly");
    this.log.info("plainly");
  }
}

function said({ records }: LogLines): readonly unknown[] {
  return records.filter(({ logger }) => logger === "speaker").map(({ msg }) => msg);
}

test("a plugin logs under its name, and every record carries the agent's label", async (t) => {
  const log = logLines();
  await using agent = agentOf([Speaker], { logStream: log.stream });
  await agent.start();
  agent.get(Speaker).speak();
  const record = log.records.find(({ logger }) => logger === "speaker");
  t.like(record, { logger: "speaker", label: "t1", msg: "plainly", level: 30 });
});

test("levels come from the configuration, for all loggers or for one", async (t) => {
  const log = logLines();
  const configuration = { log: { level: "error", levels: { speaker: "debug" } } };
  await using agent = agentOf([Speaker], { logStream: log.stream, configuration });
  await agent.start();
  agent.get(Speaker).speak();
  t.deepEqual(said(log), ["quietly", "plainly"]);
  t.deepEqual(agent.get(LogRegistry).list(), [
    { logger: "agent", level: "error" },
    { logger: "scheduler", level: "error" },
    { logger: "speaker", level: "debug" },
  ]);
});

test("the level of a logger changes while the agent runs", async (t) => {
  const log = logLines();
  await using agent = agentOf([Speaker], { logStream: log.stream });
  await agent.start();
  const [logs, speaker] = [agent.get(LogRegistry), agent.get(Speaker)];
  speaker.speak();
  logs.setLevel("speaker", "debug");
  speaker.speak();
  logs.setLevel("speaker", "silent");
  speaker.speak();
  t.deepEqual(said(log), ["plainly", "quietly", "plainly"]);
});

test("a level of one agent is no business of another", async (t) => {
  const [one, two] = [logLines(), logLines()];
  await using first = agentOf([Speaker], { logStream: one.stream });
  await using second = agentOf([Speaker], { logStream: two.stream });
  await Promise.all([first.start(), second.start()]);
  first.get(LogRegistry).setLevel("speaker", "silent");
  first.get(Speaker).speak();
  second.get(Speaker).speak();
  t.deepEqual([said(one), said(two)], [[], ["plainly"]]);
});

test("an unknown logger and an unknown level are refused, and what there is is named", async (t) => {
  await using agent = agentOf([Speaker]);
  await agent.start();
  const logs = agent.get(LogRegistry);
  const noLogger = await thrownBy(InvalidInputError, () => logs.setLevel("speeker", "debug"));
  t.is(
    noLogger.message,
    'there is no logger "speeker", expected one of: agent, scheduler, speaker; did you mean "speaker"?',
  );
  const noLevel = await thrownBy(InvalidInputError, () => logs.setLevel("speaker", "loud"));
  t.is(noLevel.message, 'log level was "loud", expected one of: trace, debug, info, warn, error, fatal, silent');
});

test("for a terminal a record is one line, with fields behind the message and the stack of an error below", (t) => {
  const record = {
    level: 40,
    time: Date.UTC(2026, 0, 1, 12, 0, 1, 5),
    label: "t1",
    logger: "nats",
    url: "nats://bus",
    tries: 3,
    msg: "away",
  };
  t.is(textLine(record, false), "12:00:01.005 WARN  nats: away url=nats://bus tries=3\n");
  const err = { message: "refused", stack: "Error: refused\n  at connect" };
  t.is(
    textLine({ ...record, err }, false)
      .split("\n")
      .slice(1)
      .join("\n"),
    "    Error: refused\n      at connect\n",
  );
  t.true(textLine(record, true).includes("\u001b[33mWARN \u001b[0m"));
});
