import test from "ava";
import { Health, HealthRegistry, type PluginHealth, PluginHealthReporter } from "#core/health/index.js";
import { type AgentEvent, StateSink } from "#core/northbound/index.js";
import { inject, type Plugin, plugin, provide } from "#core/plugin/index.js";
import { agentOf, recording } from "./support/agents.js";

@plugin({ name: "bus" })
class BusPlugin implements Plugin {
  constructor(@inject(PluginHealthReporter) readonly health: PluginHealthReporter) {}

  init(): void {
    this.health.degraded("no address was given");
  }
}

/** Registry of plugins that have started. */
function started(...names: readonly string[]): HealthRegistry {
  const registry = new HealthRegistry((error) => {
    throw error;
  });
  for (const name of names) {
    registry.reporter(name);
    registry.started(name);
  }
  return registry;
}

test("an agent is ready when every plugin has started, and live until one has failed", async (t) => {
  let health: Health | undefined;
  @plugin({ name: "observer" })
  class Observer {
    seen: readonly unknown[] = [];

    constructor(@inject(Health) readonly current: Health) {
      health = current;
    }

    init(): void {
      this.seen = [this.current.live, this.current.ready, this.current.state];
    }
  }
  const agent = agentOf([recording("a", []), Observer]);
  await agent.start();
  t.deepEqual(agent.get(Observer).seen, [true, false, "starting"]);
  t.deepEqual([health?.live, health?.ready, health?.state], [true, true, "ok"]);
  await agent.close();
  t.deepEqual([health?.ready, health?.state], [false, "closed"]);
});

test("a plugin whose bus is away is degraded, says why, and does not make the agent unready", async (t) => {
  await using agent = agentOf([recording("a", []), BusPlugin]);
  await agent.start();
  const health = agent.get(Health);
  t.deepEqual([health.live, health.ready, health.state], [true, true, "degraded"]);
  t.like(health.plugins()[1], { plugin: "bus", state: "degraded", reason: "no address was given" });
  agent.get(BusPlugin).health.ok();
  t.is(health.state, "ok");
  t.is(health.plugins()[1]?.reason, "");
});

test("a plugin that failed makes the agent neither live nor ready", (t) => {
  const registry = started("a", "b");
  registry.reporter("c").failed("lost its thread");
  t.deepEqual([registry.live, registry.ready, registry.state], [false, false, "failed"]);
});

test("what a plugin reports while it starts counts from its start on", (t) => {
  const registry = started();
  registry.reporter("bus").degraded("away");
  t.is(registry.plugins()[0]?.state, "starting");
  registry.started("bus");
  t.like(registry.plugins()[0], { state: "degraded", reason: "away" });
});

test("a closed plugin stays closed, whatever it reports", (t) => {
  const registry = started();
  const reporter = registry.reporter("bus");
  registry.started("bus");
  registry.closed("bus");
  reporter.ok();
  t.is(registry.state, "closed");
});

test("a watcher hears of changes only, until it stops watching", (t) => {
  const registry = started();
  const reporter = registry.reporter("bus");
  registry.started("bus");
  const heard: PluginHealth[] = [];
  const unwatch = registry.watch((changed) => void heard.push(changed));
  reporter.ok();
  reporter.degraded("away");
  reporter.degraded("away");
  reporter.degraded("still away");
  unwatch();
  reporter.ok();
  t.deepEqual(
    heard.map(({ state, reason }) => `${state} ${reason}`),
    ["degraded away", "degraded still away"],
  );
  t.is(heard[0]?.since, heard[1]?.since);
});

test("a watcher that throws does not keep others from hearing", (t) => {
  const errors: unknown[] = [];
  const registry = new HealthRegistry((error) => errors.push(error));
  const heard: string[] = [];
  registry.watch(() => {
    throw new Error("deaf");
  });
  registry.watch(({ plugin: name }) => void heard.push(name));
  registry.reporter("bus");
  t.deepEqual(heard, ["bus"]);
  t.is(errors.length, 1);
});

test("changes of health are published as events", async (t) => {
  const events: AgentEvent[] = [];
  @plugin({ name: "sink", provides: [provide(StateSink, (one: SinkPlugin) => one.sink)] })
  class SinkPlugin {
    readonly sink: StateSink = { name: "sink", publish: ({ event }) => void events.push(event) };
  }
  await using agent = agentOf([SinkPlugin, BusPlugin]);
  await agent.start();
  agent.get(BusPlugin).health.failed("gone for good");
  const ofBus = events.filter((event) => event.kind === "health" && event.plugin === "bus");
  t.like(ofBus.at(-1), {
    kind: "health",
    plugin: "bus",
    data: { plugin: "bus", state: "failed", reason: "gone for good" },
  });
});
