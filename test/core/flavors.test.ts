import { createRequire } from "node:module";
import test from "ava";
import { configurationSchema } from "#core/config/index.js";
import { InvalidInputError } from "#core/errors.js";
import { flavorList, flavorNamed } from "#flavors/index.js";
import { agentOf, thrownBy } from "./support/agents.js";

const BASE = [
  "netlink",
  "store",
  "orchestrator",
  "linux-namespaces",
  "linux-interfaces",
  "linux-l2",
  "linux-l3",
  "linux-drift",
  "interface-watcher",
  "interface-state",
  "http",
];

/** Is a CommonJS package loaded in this process? */
function isLoaded(name: string): boolean {
  return Object.keys(createRequire(import.meta.url).cache).some((path) => path.includes(`/node_modules/${name}/`));
}

test.serial("loading a flavor does not load the buses of the others", async (t) => {
  await flavorNamed("embedded");
  t.false(isLoaded("nats"));
  await flavorNamed("nats");
  t.true(isLoaded("nats"));
});

for (const [name, own] of [
  ["embedded", ["memory", "file"]],
  ["nats", ["nats"]],
  ["kafka", ["kafka"]],
  ["full", ["nats", "kafka", "file", "ifmgr"]],
  ["ifmgr", ["nats", "ifmgr"]],
] as const) {
  test(`flavor ${name} has its plugins in the order of the contract`, async (t) => {
    t.deepEqual((await flavorNamed(name)).names, [...BASE, ...own]);
  });

  test(`flavor ${name} can be wired without any configuration`, async (t) => {
    const agent = agentOf([], { flavor: await flavorNamed(name) });
    t.is(agent.info.flavor, name);
    await agent.close();
  });

  test(`flavor ${name} has a configuration schema with a section for each plugin that has one`, async (t) => {
    const flavor = await flavorNamed(name);
    const schema = configurationSchema(flavor) as { properties: Record<string, unknown> };
    const sections = flavor.plugins.filter(({ definition }) => definition.config !== undefined);
    t.true(sections.every(({ definition }) => definition.name in schema.properties));
  });
}

test("every flavor of the list can be loaded", async (t) => {
  for (const { name, description } of flavorList()) {
    t.is((await flavorNamed(name)).name, name);
    t.true(description.length > 0);
  }
});

test("a flavor that is not there is refused, and what there is is named", async (t) => {
  const error = await thrownBy(InvalidInputError, () => flavorNamed("nast"));
  t.is(error.code, "FLAVOR_UNKNOWN");
  t.is(
    error.message,
    'there is no flavor "nast" in this version, expected one of: embedded, nats, kafka, full, ifmgr; did you mean "nats"?',
  );
});
