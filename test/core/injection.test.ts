import test from "ava";
import { Agent, PluginError } from "#core/agent/index.js";
import { BugError, InvalidInputError } from "#core/errors.js";
import { flavor } from "#core/flavor/index.js";
import {
  type All,
  inject,
  injectAll,
  injectOptional,
  type Plugin,
  type PluginClass,
  PluginConfig,
  plugin,
  provide,
  token,
} from "#core/plugin/index.js";
import { agentOf, thrownBy } from "./support/agents.js";

interface Clock {
  now(): string;
}
const Clock = token<Clock>("Clock");

interface Bell {
  ring(): string;
}
const Bell = token<Bell>("Bell");

@plugin({ name: "clock", provides: [Clock] })
class ClockPlugin implements Clock {
  now(): string {
    return "noon";
  }
}

@plugin({ name: "user" })
class UserPlugin {
  constructor(@inject(Clock) readonly clock: Clock) {}
}

@plugin({ name: "optional-user" })
class OptionalUserPlugin {
  constructor(@injectOptional(Clock) readonly clock: Clock | undefined) {}
}

function bellPlugin(name: string): PluginClass {
  @plugin({ name, provides: [provide(Bell, (one: BellPlugin) => one.bell)] })
  class BellPlugin {
    readonly bell: Bell = { ring: () => name };
  }
  return BellPlugin;
}

@plugin({ name: "tower" })
class TowerPlugin implements Plugin {
  heard: readonly string[] = [];

  constructor(@injectAll(Bell) private readonly bells: All<Bell>) {}

  init(): void {
    this.heard = this.bells.get().map((bell) => bell.ring());
  }
}

test("a plugin gets what an earlier one provides", async (t) => {
  await using agent = agentOf([ClockPlugin, UserPlugin]);
  await agent.start();
  t.is(agent.get(UserPlugin).clock, agent.get(ClockPlugin));
  t.is(agent.get(Clock).now(), "noon");
});

test("a dependency that a later plugin provides is refused before anything starts, with both names", async (t) => {
  const error = await thrownBy(InvalidInputError, () => agentOf([UserPlugin, ClockPlugin]));
  t.is(error.code, "FLAVOR_ORDER");
  t.is(
    error.message,
    "flavor test cannot be wired: plugin user needs Clock, which plugin clock provides later: put clock before user",
  );
});

test("a dependency that no plugin provides is refused, with both names", async (t) => {
  const error = await thrownBy(InvalidInputError, () => agentOf([UserPlugin]));
  t.regex(error.message, /plugin user needs Clock, which no plugin of flavor test provides/);
});

test("an optional dependency on a later plugin is refused like any other", async (t) => {
  const error = await thrownBy(InvalidInputError, () => agentOf([OptionalUserPlugin, ClockPlugin]));
  t.regex(error.message, /plugin optional-user needs Clock, which plugin clock provides later/);
});

test("one dependency that several plugins could fulfil is refused", async (t) => {
  @plugin({ name: "ringer" })
  class Ringer {
    constructor(@inject(Bell) readonly bell: Bell) {}
  }
  const error = await thrownBy(InvalidInputError, () => agentOf([bellPlugin("one"), bellPlugin("two"), Ringer]));
  t.regex(error.message, /plugin ringer needs one Bell, but one and two both provide it/);
});

test("all that is wrong with an order is said at once", async (t) => {
  const error = await thrownBy(InvalidInputError, () => agentOf([UserPlugin, OptionalUserPlugin, ClockPlugin]));
  t.is(error.message.split("; ").length, 2);
});

test("an optional dependency is there when a plugin provides it, and undefined otherwise", async (t) => {
  await using alone = agentOf([OptionalUserPlugin]);
  await using together = agentOf([ClockPlugin, OptionalUserPlugin]);
  await Promise.all([alone.start(), together.start()]);
  t.is(alone.get(OptionalUserPlugin).clock, undefined);
  t.is(together.get(OptionalUserPlugin).clock?.now(), "noon");
});

test("a plugin gets all providers in flavor order, those behind it too", async (t) => {
  await using agent = agentOf([bellPlugin("first"), TowerPlugin, bellPlugin("second"), bellPlugin("third")]);
  await agent.start();
  t.deepEqual(agent.get(TowerPlugin).heard, ["first", "second", "third"]);
  t.deepEqual(
    agent.getAll(Bell).map((bell) => bell.ring()),
    ["first", "second", "third"],
  );
});

test("all providers may be none", async (t) => {
  await using agent = agentOf([TowerPlugin]);
  await agent.start();
  t.deepEqual(agent.get(TowerPlugin).heard, []);
});

test("all providers cannot be asked for in a constructor", async (t) => {
  @plugin({ name: "hasty" })
  class Hasty {
    constructor(@injectAll(Bell) bells: All<Bell>) {
      bells.get();
    }
  }
  const error = await thrownBy(PluginError, () => agentOf([Hasty]).start());
  t.is(error.step, "constructor");
  t.is((error.cause as BugError).code, "ALL_TOO_EARLY");
});

test("a provided part that is not there after construction is a bug that names plugin and token", async (t) => {
  @plugin({ name: "late", provides: [provide(Bell, (one: Late) => one.bell as Bell)] })
  class Late implements Plugin {
    bell: Bell | undefined;

    init(): void {
      this.bell = { ring: () => "too late" };
    }
  }
  const error = await thrownBy(PluginError, () => agentOf([Late]).start());
  t.is(error.message, "plugin late: constructor failed: late provides Bell, but it is undefined after construction");
});

test("asking the agent for what nobody, or more than one, provides is refused", async (t) => {
  await using agent = agentOf([bellPlugin("one"), bellPlugin("two")]);
  await agent.start();
  t.is((await thrownBy(InvalidInputError, () => agent.get(Clock))).message, "nothing provides Clock");
  t.is((await thrownBy(InvalidInputError, () => agent.get(Bell))).message, "more than one plugin provides Bell");
  t.regex((await thrownBy(InvalidInputError, () => agent.get(UserPlugin))).message, /no plugin UserPlugin/);
});

test("a constructor parameter without a decorator is refused when the class is made", async (t) => {
  class Careless {
    constructor(readonly something: string) {}
  }
  const error = await thrownBy(BugError, () => plugin({ name: "careless" })(Careless));
  t.is(error.code, "PLUGIN_PARAMETER_NOT_INJECTED");
  t.regex(error.message, /plugin careless: parameter 1 of the constructor of Careless/);
});

for (const name of ["", "Nats", "nats.js", "1st"]) {
  test(`"${name}" is no plugin name`, async (t) => {
    class Nameless {}
    t.is((await thrownBy(BugError, () => plugin({ name })(Nameless))).code, "PLUGIN_NAME");
  });
}

test("a plugin that injects its section has to declare it", async (t) => {
  @plugin({ name: "sloppy" })
  class Sloppy {
    constructor(@inject(PluginConfig) readonly config: object) {}
  }
  const error = await thrownBy(InvalidInputError, () => agentOf([Sloppy]));
  t.regex(error.message, /plugin sloppy injects its section, but declares no schema/);
});

for (const name of ["agent", "log", "scheduler", "label", "flavor"]) {
  test(`a plugin cannot be called "${name}"`, async (t) => {
    @plugin({ name })
    class Usurper {}
    const error = await thrownBy(InvalidInputError, () => agentOf([Usurper]));
    t.is(error.code, "PLUGIN_NAME_RESERVED");
  });
}

test("the label comes from the options, else the environment, else the configuration", (t) => {
  const empty = flavor("test", []);
  const configuration = { label: "from-file" };
  const environment = { TENUTO_LABEL: "from-environment" };
  t.is(new Agent({ flavor: empty, label: "given", environment, configuration }).label, "given");
  t.is(new Agent({ flavor: empty, environment, configuration }).label, "from-environment");
  t.is(new Agent({ flavor: empty, environment: {}, configuration }).label, "from-file");
});

test("a label that would not fit a subject or a path is refused", async (t) => {
  const error = await thrownBy(InvalidInputError, () => agentOf([], { label: "rack 1/host" }));
  t.is(error.message, 'label was "rack 1/host", expected letters, digits, dots, dashes and underscores');
});
