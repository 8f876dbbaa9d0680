import { mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import test from "ava";
import { Agent } from "#core/agent/index.js";
import { readConfigurationFile } from "#core/config/index.js";
import { InvalidInputError } from "#core/errors.js";
import { composeFlavor, type Flavor, flavor, loadPlugins } from "#core/flavor/index.js";
import { type Plugin, type Token, token } from "#core/plugin/index.js";
import { projectRoot } from "#test/support/project.js";
import { logLines, recording, thrownBy } from "./support/agents.js";

/** A package that somebody else has written, in plain JavaScript: there decorators are functions. */
const GREETER = `
import { inject, Logger, plugin, PluginConfig, token } from "tenuto";
import { z } from "zod";

export const Greeter = token("Greeter");

class GreeterPlugin {
  constructor(config, log) {
    this.config = config;
    this.log = log;
  }
  init() {
    this.log.info(this.greet("network"));
  }
  greet(whom) {
    return this.config.words + ", " + whom;
  }
}
inject(PluginConfig)(GreeterPlugin, undefined, 0);
inject(Logger)(GreeterPlugin, undefined, 1);
plugin({
  name: "greeter",
  config: z.strictObject({ words: z.string().default("hello") }),
  provides: [Greeter],
})(GreeterPlugin);

export { GreeterPlugin as plugin };
`;

const GREETER_PACKAGE = {
  name: "@acme/tenuto-greeter",
  type: "module",
  exports: { ".": { types: "./lib/greeter.d.ts", import: "./lib/greeter.js" } },
  peerDependencies: { tenuto: "*" },
};

interface Greeter extends Plugin {
  greet(whom: string): string;
}

const nats = flavor("nats", [recording("netlink", []), recording("http", [])]);
const outside = token<Greeter>("Greeter");

async function named(name: string): Promise<Flavor> {
  if (name === "nats") return nats;
  throw new InvalidInputError("FLAVOR_UNKNOWN", `there is no flavor "${name}"`);
}

/** A folder as a user has it: a configuration file, installed packages, files of their own. */
async function inUserFolder<T>(
  files: Readonly<Record<string, string>>,
  use: (directory: string) => Promise<T>,
): Promise<T> {
  const directory = await mkdtemp(join(tmpdir(), "tenuto-user-"));
  try {
    for (const [path, text] of Object.entries(files)) {
      await mkdir(join(directory, dirname(path)), { recursive: true });
      await writeFile(join(directory, path), text);
    }
    await mkdir(join(directory, "node_modules"), { recursive: true });
    await symlink(projectRoot, join(directory, "node_modules/tenuto"));
    await symlink(join(projectRoot, "node_modules/zod"), join(directory, "node_modules/zod"));
    return await use(directory);
  } finally {
    await rm(directory, { recursive: true });
  }
}

const installed = {
  "node_modules/@acme/tenuto-greeter/package.json": JSON.stringify(GREETER_PACKAGE),
  "node_modules/@acme/tenuto-greeter/lib/greeter.js": GREETER,
};

async function flavorOfFile(directory: string): Promise<Flavor> {
  const file = await readConfigurationFile(join(directory, "tenuto.yaml"));
  return composeFlavor(file.flavor ?? "nats", { directory: file.directory, named });
}

test("a plugin of a package with its own package.json is loaded by name from a configuration file, and runs", async (t) => {
  const configuration = `
label: t1
flavor:
  extends: nats
  without: [http]
  plugins: ["@acme/tenuto-greeter"]
greeter:
  words: good evening
`;
  await inUserFolder({ ...installed, "tenuto.yaml": configuration }, async (directory) => {
    const file = await readConfigurationFile(join(directory, "tenuto.yaml"));
    const composed = await composeFlavor(file.flavor ?? "nats", { directory, named });
    t.deepEqual(composed.names, ["netlink", "greeter"]);

    const log = logLines();
    await using agent = new Agent({
      flavor: composed,
      configuration: file.content,
      environment: {},
      logStream: log.stream,
    });
    await agent.start();
    t.is(agent.label, "t1");
    t.true(log.records.some(({ logger, msg }) => logger === "greeter" && msg === "good evening, network"));

    const provided = composed.plugins[1]?.definition.provides[0]?.token as Token<Greeter>;
    t.is(agent.get(provided).greet("you"), "good evening, you");
    t.throws(() => agent.get(outside), { message: "nothing provides Greeter" });
  });
});

for (const [what, use, files] of [
  ["a file", "./greeter.mjs", { "greeter.mjs": GREETER }],
  ["a file without its ending", "./greeter", { "greeter.mjs": GREETER }],
  [
    "a folder with package.json",
    "./greeter",
    { "greeter/package.json": '{"type":"module","main":"main.js"}', "greeter/main.js": GREETER },
  ],
  ["a folder with index.js", "./greeter", { "greeter/package.json": '{"type":"module"}', "greeter/index.js": GREETER }],
] as const) {
  test(`a plugin is loaded from ${what} beside the configuration file`, async (t) => {
    const configuration = `flavor: {extends: nats, plugins: ["${use}"]}`;
    await inUserFolder({ ...files, "tenuto.yaml": configuration }, async (directory) => {
      t.deepEqual((await flavorOfFile(directory)).names, ["netlink", "http", "greeter"]);
    });
  });
}

for (const [place, names] of [
  ["before: http", ["netlink", "greeter", "http"]],
  ["after: netlink", ["netlink", "greeter", "http"]],
  ["replace: netlink", ["greeter", "http"]],
] as const) {
  test(`a plugin of a configuration file can have a place: ${place}`, async (t) => {
    const configuration = `flavor: {name: mine, extends: nats, plugins: [{use: "@acme/tenuto-greeter", ${place}}]}`;
    await inUserFolder({ ...installed, "tenuto.yaml": configuration }, async (directory) => {
      const composed = await flavorOfFile(directory);
      t.is(composed.name, "mine");
      t.deepEqual(composed.names, names);
    });
  });
}

test("a module may export several plugins, in order", async (t) => {
  const several = `${GREETER}
class Second { init() {} }
plugin({ name: "second" })(Second);
export const plugins = [GreeterPlugin, Second];
`;
  await inUserFolder(
    { "several.mjs": several, "tenuto.yaml": 'flavor: {plugins: ["./several.mjs"]}' },
    async (directory) => {
      t.deepEqual((await flavorOfFile(directory)).names, ["greeter", "second"]);
    },
  );
});

for (const [what, use, text, code, message] of [
  [
    "a package that is not installed",
    "@acme/nothing",
    "",
    "PLUGIN_NOT_FOUND",
    /there is no plugin "@acme\/nothing".*npm install/,
  ],
  [
    "a path that is not there",
    "./nothing.js",
    "",
    "PLUGIN_NOT_FOUND",
    /there is no plugin "\.\/nothing\.js": looked from/,
  ],
  [
    "a module that throws",
    "./it.mjs",
    "throw new Error('broken inside')",
    "PLUGIN_NOT_LOADABLE",
    /it\.mjs\): broken inside/,
  ],
  [
    "a module without plugin",
    "./it.mjs",
    "export const Plug = 1, other = 2",
    "PLUGIN_NOT_EXPORTED",
    /expected an export "plugin".*exports Plug, other/,
  ],
  [
    "a class without decorator",
    "./it.mjs",
    "export class plugin {}",
    "PLUGIN_NOT_EXPORTED",
    /plugin has no @plugin decorator of this tenuto/,
  ],
] as const) {
  test(`${what} is refused`, async (t) => {
    const files = { "it.mjs": text, "tenuto.yaml": `flavor: {extends: nats, plugins: ["${use}"]}` };
    const error = await inUserFolder(files, (directory) => thrownBy(InvalidInputError, () => flavorOfFile(directory)));
    t.is(error.code, code);
    t.regex(error.message, message);
  });
}

test("an unknown plugin to leave out is refused", async (t) => {
  const files = { "tenuto.yaml": "flavor: {extends: nats, without: [htpp]}" };
  const error = await inUserFolder(files, (directory) => thrownBy(InvalidInputError, () => flavorOfFile(directory)));
  t.regex(error.message, /has no plugin "htpp".*did you mean "http"\?/);
});

test("a package is also looked for where Tenuto itself is installed", async (t) => {
  const error = await thrownBy(InvalidInputError, () => loadPlugins("zod", tmpdir()));
  t.is(error.code, "PLUGIN_NOT_EXPORTED");
  t.true(error.message.includes(join(projectRoot, "node_modules/zod")));
});
