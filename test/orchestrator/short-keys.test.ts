import test from "ava";
import { Agent } from "#core/agent/index.js";
import { flavor } from "#core/flavor/index.js";
import { ModelRegistry } from "#core/model/types.js";
import type { Change, SourceItem } from "#core/northbound/index.js";
import { inject, type Plugin, type PluginClass, plugin } from "#core/plugin/index.js";
import { Scheduler } from "#core/scheduler/api/token.js";
import { Store, StorePlugin } from "#plugins/store/index.js";
import { ROUTE_PREFIX, type Route, routeModel } from "#proto/index.js";
import { eventually } from "#test/support/eventually.js";
import { ScriptedSource, startAgent, temporaryDirectory } from "./support/agents.js";

/** Keeps routes in nothing but the scheduler. A metric above 9000 is invalid. */
@plugin({ name: "routes" })
class RoutesPlugin implements Plugin {
  constructor(
    @inject(Scheduler) private readonly scheduler: Scheduler,
    @inject(ModelRegistry) private readonly registry: ModelRegistry,
  ) {}

  init(): void {
    this.registry.register(routeModel);
    this.scheduler.registerDescriptor<Route, undefined>({
      name: "routes",
      prefix: ROUTE_PREFIX,
      validate: (_key, { metric = 0 }) => (metric > 9000 ? [{ field: "metric", problem: `was ${metric}` }] : []),
      create: () => undefined,
      delete: () => undefined,
    });
  }
}

const plugins: readonly PluginClass[] = [RoutesPlugin];
const e1 = `${ROUTE_PREFIX}10.0.0.0/8/e1`;
const route = (fields: Route = {}): Route => ({ dst_network: "10.0.0.0/8", outgoing_interface: "e1", ...fields });
const set = (key: string, fields?: Route): Change => ({ key, value: route(fields) });
const remove = (key: string): Change => ({ key, delete: true });
const item = (key: string, fields?: Route): SourceItem => ({ key, value: route(fields) });
const gone = (key: string): SourceItem => ({ key, value: undefined });

test("a value under a short key is kept under its full one, and the answer says so", async (t) => {
  const { commit, northbound } = await startAgent(t, { plugins });
  const result = await commit({ changes: [set(e1, { metric: 100 }), set(e1), set(e1, { table: 9 })] });
  t.is(result.outcome, "APPLIED");
  t.deepEqual(
    result.values.map(({ key, details }) => [key, details]),
    [
      [`${e1};metric=100`, [`came under ${e1}`]],
      [e1, []],
      [`${e1};table=9`, [`came under ${e1}`]],
    ],
  );
  t.deepEqual(
    northbound.get(e1).map(({ key }) => key),
    [e1, `${e1};metric=100`, `${e1};table=9`],
  );
  t.is(northbound.status({ prefix: `${e1};metric=100` })[0]?.state, "CONFIGURED");
});

test("another metric under the same short key replaces the route; another table is another route", async (t) => {
  const store = temporaryDirectory(t);
  const first = await startAgent(t, { plugins, store });
  await first.commit({ changes: [set(e1)] });
  await first.commit({ changes: [set(e1, { metric: 100 })] });
  await first.commit({ changes: [set(e1, { table: 9 })] });
  await first.agent.close();
  const { commit, northbound } = await startAgent(t, { plugins, store });
  const answer = await commit({ changes: [set(e1, { metric: 200 })] });
  t.deepEqual(
    answer.values.map(({ key, state }) => [key, state]),
    [
      [`${e1};metric=200`, "CONFIGURED"],
      [`${e1};metric=100`, "REMOVED"],
    ],
  );
  t.deepEqual(
    northbound.get().map(({ key }) => key),
    [`${e1};metric=200`, `${e1};table=9`],
  );
});

test("a transaction that is cancelled has not changed what a short key means", async (t) => {
  const { commit, northbound } = await startAgent(t, { plugins });
  await commit({ changes: [set(e1, { metric: 100 })] });
  await commit({ id: "maybe", confirm_timeout: "60s", changes: [set(e1, { metric: 200 })] });
  await northbound.cancel("maybe");
  t.deepEqual(
    northbound.get().map(({ key }) => key),
    [`${e1};metric=100`],
  );
  await commit({ changes: [set(e1, { metric: 300 })] });
  t.deepEqual(
    northbound.get().map(({ key }) => key),
    [`${e1};metric=300`],
  );
});

test("a short key deletes the one value that it may mean, and is refused when it may mean several", async (t) => {
  const { commit, northbound } = await startAgent(t, { plugins });
  await commit({ changes: [set(`${e1};metric=1`, { metric: 1 }), set(`${e1};table=9`, { table: 9 })] });
  const refused = await commit({ changes: [remove(e1)] });
  t.is(refused.outcome, "REJECTED");
  t.true(refused.error.includes(`${e1};metric=1`) && refused.error.includes(`${e1};table=9`), refused.error);
  await commit({ changes: [remove(`${ROUTE_PREFIX}10.1.2.3/8/e1;table=9`)] });
  const deleted = await commit({ changes: [remove(e1)] });
  t.deepEqual(
    deleted.values.map(({ key, state }) => [key, state]),
    [[`${e1};metric=1`, "REMOVED"]],
  );
  t.deepEqual(northbound.get(), []);
});

test("one value under two keys in one transaction is refused, and both are named", async (t) => {
  const { commit } = await startAgent(t, { plugins });
  const { outcome, error } = await commit({ changes: [set(e1, { metric: 5 }), set(`${e1};metric=5`, { metric: 5 })] });
  t.is(outcome, "REJECTED");
  t.true(error.includes(`${e1} means ${e1};metric=5`), error);
});

test("a value is found by a short key that is not the beginning of its own", async (t) => {
  const { commit, northbound } = await startAgent(t, { plugins });
  await commit({ changes: [set(e1, { table: 9, metric: 5 })] });
  t.is(northbound.get(`${e1};metric=5`)[0]?.key, `${e1};table=9;metric=5`);
  t.is(northbound.status({ prefix: `${e1};metric=5` })[0]?.key, `${e1};table=9;metric=5`);
});

test("an item of a bus stands for one value: another one under its key replaces it, its tombstone removes it", async (t) => {
  const store = temporaryDirectory(t);
  const bus = new ScriptedSource("bus", 50);
  const first = await startAgent(t, { plugins, store, sources: [bus] });
  const keys = () => first.northbound.get().map(({ key }) => key);
  await bus.snapshot(item(e1, { metric: 100 }));
  await bus.change(item(e1, { table: 9 }));
  t.deepEqual(keys(), [`${e1};table=9`]);
  t.is((await bus.change(item(e1, { metric: 9001 }))).outcome, "PARTIAL");
  t.deepEqual(keys(), [`${e1};table=9`]);
  await bus.snapshot(item(e1, { metric: 7 }));
  t.deepEqual(keys(), [`${e1};metric=7`]);
  await first.agent.close();

  const again = new ScriptedSource("bus", 50);
  const second = await startAgent(t, { plugins, store, sources: [again] });
  t.deepEqual(
    second.northbound.get().map(({ key }) => key),
    [`${e1};metric=7`],
  );
  await again.change(gone(e1));
  t.deepEqual(second.northbound.get(), []);
});

test("of two items that mean one value the first has it, and the other one's is taken when that goes", async (t) => {
  const bus = new ScriptedSource("bus", 50);
  const { northbound, events } = await startAgent(t, { plugins, sources: [bus] });
  const gateway = () => northbound.get().map(({ value }) => (value as Route).gw_addr);
  const full = `${e1};metric=100`;
  await bus.snapshot(item(e1, { metric: 100, gw_addr: "10.0.0.1" }));
  const refused = await bus.change(item(full, { metric: 100, gw_addr: "10.0.0.2" }));
  t.true(refused.error.includes(e1) && refused.error.includes(full), refused.error);
  t.deepEqual(gateway(), ["10.0.0.1"]);
  await eventually(() => events.some(({ event }) => event.kind === "deadletter"));
  await bus.change(item(e1, { gw_addr: "10.0.0.3" }));
  t.deepEqual(gateway(), ["10.0.0.3", "10.0.0.2"]);
  const both = [item(full, { metric: 100, gw_addr: "10.0.0.4" }), item(e1, { metric: 100, gw_addr: "10.0.0.5" })];
  await bus.snapshot(...both);
  t.deepEqual(gateway(), ["10.0.0.4"]);
  await bus.snapshot(...both.reverse());
  t.deepEqual(gateway(), ["10.0.0.4"]);
  await bus.change(gone(full));
  t.deepEqual(gateway(), ["10.0.0.5"]);
});

test("values that an earlier version stored under shorter keys are taken over, and their items go on meaning them", async (t) => {
  const store = temporaryDirectory(t);
  const old = new Agent({
    flavor: flavor("old", [StorePlugin]),
    label: "t1",
    environment: {},
    configuration: { log: { level: "silent" }, store: { directory: store } },
  });
  await old.start();
  for (const source of ["store", "bus"]) {
    const network = source === "bus" ? "11.0.0.0/8" : "10.0.0.0/8";
    const changes = new Map([[`${ROUTE_PREFIX}${network}/e1`, route({ dst_network: network, metric: 5 })]]);
    await old.get(Store).write({ values: { source, changes } });
  }
  await old.close();
  const bus = new ScriptedSource("bus", 50);
  const { northbound, commit } = await startAgent(t, { plugins, store, sources: [bus] });
  const keys = () => northbound.get().map(({ key }) => key);
  t.deepEqual(keys(), [`${e1};metric=5`, `${ROUTE_PREFIX}11.0.0.0/8/e1;metric=5`]);
  await bus.change(gone(`${ROUTE_PREFIX}11.0.0.0/8/e1`));
  await commit({ changes: [set(e1, { metric: 6 })] });
  t.deepEqual(keys(), [`${e1};metric=6`]);
});
