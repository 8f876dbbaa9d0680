import test from "ava";
import { AgentInfo } from "#core/agent/index.js";
import { ModelRegistry } from "#core/model/types.js";
import { inject, plugin } from "#core/plugin/index.js";
import { Scheduler } from "#core/scheduler/api/token.js";
import { agentOf, recording } from "./support/agents.js";

@plugin({ name: "witness" })
class Witness {
  constructor(
    @inject(AgentInfo) readonly info: AgentInfo,
    @inject(Scheduler) readonly scheduler: Scheduler,
    @inject(ModelRegistry) readonly models: ModelRegistry,
  ) {}
}

test("two agents with different labels run in one process and share nothing", async (t) => {
  const [one, two] = [agentOf([Witness], { label: "t1" }), agentOf([Witness], { label: "t2" })];
  await Promise.all([one.start(), two.start()]);

  t.deepEqual([one.get(Witness).info.label, two.get(Witness).info.label], ["t1", "t2"]);
  t.not(one.get(Witness), two.get(Witness));
  t.not(one.get(Scheduler), two.get(Scheduler));
  t.not(one.get(ModelRegistry), two.get(ModelRegistry));
  t.not(one.info.instance, two.info.instance);

  await one.close();
  t.true(two.get(Witness) instanceof Witness);
  await two.close();
});

test("an agent that cannot start does not disturb another", async (t) => {
  const journal: string[] = [];
  const good = agentOf([recording("good", journal)]);
  const bad = agentOf([
    recording("bad", [], {
      init: () => {
        throw new Error("no");
      },
    }),
  ]);
  const outcomes = await Promise.allSettled([bad.start(), good.start()]);
  t.deepEqual(
    outcomes.map(({ status }) => status),
    ["rejected", "fulfilled"],
  );
  t.deepEqual(journal, ["good.init", "good.afterInit"]);
  await good.close();
});

test("a hundred agents start and close in one process", async (t) => {
  const journal: string[] = [];
  const agents = Array.from({ length: 100 }, (_, index) =>
    agentOf([Witness, recording("r", journal)], { label: `t${index}` }),
  );
  await Promise.all(agents.map((agent) => agent.start()));
  t.is(journal.filter((step) => step === "r.afterInit").length, 100);
  await Promise.all(agents.map((agent) => agent.close()));
  t.is(journal.filter((step) => step === "r.close").length, 100);
});
