/** The agent out of the bundle is the agent of the modules, and plugins from outside are not given another copy of it. */
import { once } from "node:events";
import { cp, mkdir, mkdtemp, rm, utimes, writeFile } from "node:fs/promises";
import { createServer, get, type IncomingMessage } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import ava, { type ExecutionContext } from "ava";
import { bundleFor } from "#cli/bundle.js";
import { agentProcess } from "#test/support/agent-process.js";
import { eventually } from "#test/support/eventually.js";
import { examplePlugin } from "#test/support/example-plugin.js";
import { link } from "#test/support/sandbox.js";
import { tenuto } from "#test/support/tenuto.js";

/** One after the other: most start programs. */
const test = ava.serial;

/** While coverage is measured agents come from their modules, but not here. */
const BUNDLE = { NODE_V8_COVERAGE: undefined };
const MODULES = { NODE_V8_COVERAGE: undefined, TENUTO_BUNDLE: "0" };

/** Makes the agent's constructor fail in a way that nobody expects, so that the whole error is printed. */
const NO_HOSTNAME = `data:text/javascript,${encodeURIComponent(`
import os from "node:os";
import { syncBuiltinESMExports } from "node:module";
const { hostname } = os;
os.hostname = () => {
  if (new Error().stack.includes("at label" + "Of")) throw new RangeError("no name today");
  return hostname();
};
syncBuiltinESMExports();
`)}`;

async function temporaryFolder(t: ExecutionContext): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), "tenuto-bundle-"));
  t.teardown(() => rm(directory, { recursive: true, force: true }));
  return directory;
}

/** Where the stack of an unexpected error says that the agent's label was looked for. */
async function placeOfFailure(parameters: readonly string[], env: Readonly<Record<string, string | undefined>>) {
  const { status, stderr } = await tenuto(["agent", "--check", ...parameters], {
    env: { ...env, NODE_OPTIONS: `--import ${NO_HOSTNAME}` },
  });
  const [, place] = /RangeError: no name today\n(?:.*\n)*? +at labelOf \(?(\S+?)\)?\n/.exec(stderr) ?? [];
  return { status, place: place ?? stderr };
}

test("an error of the agent out of the bundle names the source, as one of the modules names its module", async (t) => {
  const bundled = await placeOfFailure([], BUNDLE);
  t.is(bundled.status, 1);
  t.regex(bundled.place, /^core\/agent\/agent\.ts:\d+$/);
  const plain = await placeOfFailure([], MODULES);
  t.is(plain.status, 1);
  t.regex(plain.place, /^file:.*\/dist\/core\/agent\/agent\.js:\d+:\d+$/);
});

for (const parameters of [
  ...["embedded", "nats", "kafka", "full", "ifmgr", "nast"].map((flavor) => ["--check", "--flavor", flavor]),
  ["--check", "--set", "http.sokcet=/run/x", "--set", "agent.init_timeout=soon"],
  ["--check", "--config", "/nowhere/tenuto.yaml"],
  ["--help"],
]) {
  test(`bundle and modules answer alike: agent ${parameters.join(" ")}`, async (t) => {
    const [bundled, plain] = await Promise.all(
      [BUNDLE, MODULES].map((env) => tenuto(["agent", ...parameters, "--label", "both"], { env })),
    );
    t.deepEqual(bundled, plain);
  });
}

/** A Unix socket where somebody may ask; the answer is no. Resolves when somebody has. */
async function asked(t: ExecutionContext, socket: string): Promise<{ readonly path: Promise<string | undefined> }> {
  const server = createServer((_request, response) => response.writeHead(500).end());
  t.teardown(() => server.close());
  const path = once(server, "request").then(([request]) => (request as IncomingMessage).url);
  await once(server.listen(socket), "listening");
  return { path };
}

async function page(socketPath: string): Promise<string> {
  const [response] = (await once(get({ socketPath, path: "/" }), "response")) as [IncomingMessage];
  return await text(response);
}

test("what the agent loads late and what lies beside its modules is there: YAML, the page, descriptions, Kafka, Docker, the netlink thread", async (t) => {
  const directory = await temporaryFolder(t);
  const network = join(directory, "network");
  await mkdir(network);
  await writeFile(
    join(network, "network.yaml"),
    `linuxConfig:
  interfaces:
    - { name: fromfile, type: VETH, enabled: true, veth: { peer_if_name: peer } }
    - { name: peer, type: VETH, enabled: true, veth: { peer_if_name: fromfile } }
`,
  );
  const engine = join(directory, "engine.sock");
  const engineAsked = await asked(t, engine);
  const agent = await agentProcess({
    label: "bundled",
    flavor: "full",
    configuration: { file: { path: network }, "linux-namespaces": { container_sockets: [engine] } },
    args: ["--nats", "nats://127.0.0.1:9", "--kafka", "127.0.0.1:9"],
    env: BUNDLE,
    until: "alive",
  });
  t.teardown(() => agent.stop());
  t.truthy(await eventually(() => link("fromfile")));
  t.regex((await engineAsked.path) ?? "", /\/containers\/json/);
  t.regex(await page(agent.socket), /^<!doctype html>/);
  for (const path of ["/openapi.json", "/asyncapi.json"]) t.is((await agent.request("GET", path)).status, 200);
  // It takes KafkaJS to find that out.
  await eventually(async () => {
    const { body } = await agent.request("GET", "/readiness");
    return JSON.stringify(body).includes("Kafka at 127.0.0.1:9 cannot be reached");
  });
});

/** A checkout in small: enough for the question whether its bundle may be used. */
async function smallCheckout(t: ExecutionContext): Promise<string> {
  const root = await temporaryFolder(t);
  for (const folder of ["dist/bundle/one", "dist/cli", "node_modules/zod"]) {
    await mkdir(join(root, folder), { recursive: true });
  }
  await writeFile(join(root, "dist/cli/main.js"), "");
  await writeFile(join(root, "dist/bundle/one/tenuto.cjs"), "");
  await writeFile(join(root, "node_modules/zod/package.json"), '{"version": "4.0.0"}');
  const manifest = { directory: "one", packages: { "node_modules/zod": "4.0.0" } };
  await writeFile(join(root, "dist/bundle/manifest.json"), JSON.stringify(manifest));
  return root;
}

const NESTED = "node_modules/tenuto/dist";

for (const [what, isUsed, change, place] of [
  ["as it was built", true, async () => undefined, "dist"],
  [
    "with modules compiled later",
    false,
    (root) => utimes(join(root, "dist/cli/main.js"), 1, Date.now() / 1000 + 60),
    "dist",
  ],
  [
    "with another version of a package",
    false,
    (root) => writeFile(join(root, "node_modules/zod/package.json"), "{}"),
    "dist",
  ],
  ["without a package", false, (root) => rm(join(root, "node_modules/zod"), { recursive: true }), "dist"],
  ["without the bundle's file", false, (root) => rm(join(root, "dist/bundle/one/tenuto.cjs")), "dist"],
  ["never bundled", false, (root) => rm(join(root, "dist/bundle"), { recursive: true }), "dist"],
  [
    "a dependency, with its packages beside it",
    true,
    (root) => cp(join(root, "dist"), join(root, NESTED), { recursive: true }),
    NESTED,
  ],
] satisfies readonly (readonly [string, boolean, (root: string) => Promise<unknown>, string])[]) {
  test(`the bundle is ${isUsed ? "" : "not "}used: ${what}`, async (t) => {
    const root = await smallCheckout(t);
    const dist = join(root, place);
    await change(root);
    t.is(bundleFor(["agent"], {}, dist), isUsed ? join(dist, "bundle/one") : undefined);
  });
}

for (const [isUsed, words, environment] of [
  [true, ["agent", "--config", "plain.yaml"], {}],
  [true, ["agent"], { TENUTO_CONFIG: "plain.yaml" }],
  [false, ["status"], {}],
  [false, ["agent", "--config", "plugins.yaml"], {}],
  [false, ["--config", "plugins.yaml", "agent"], {}],
  [false, ["agent", "--config=plugins.yaml"], {}],
  [false, ["agent", "--config", "plain.yaml"], { TENUTO_CONFIG: "plugins.yaml" }],
  [false, ["agent", "--config", "escaped.yaml"], {}],
  [false, ["agent", "--config", "missing.yaml"], {}],
  [false, ["agent", "--config", "/dev/null"], {}],
  [false, ["agent"], { TENUTO_BUNDLE: "0" }],
  [false, ["agent"], { NODE_V8_COVERAGE: "/tmp/coverage" }],
] satisfies readonly (readonly [boolean, readonly string[], Readonly<Record<string, string>>])[]) {
  test(`the bundle is ${isUsed ? "" : "not "}used for ${words.join(" ")} with ${JSON.stringify(environment)}`, async (t) => {
    const root = await smallCheckout(t);
    await writeFile(join(root, "plain.yaml"), "label: one\nflavor: {extends: nats, without: [http]}\n");
    await writeFile(join(root, "plugins.yaml"), "flavor: {extends: nats, plugins: [./mine.js]}\n");
    await writeFile(join(root, "escaped.yaml"), 'flavor: {extends: nats, "plug\\u0069ns": [./mine.js]}\n');
    const inRoot = (text: string): string => text.replace(/^(--config=)?(?=[a-z]+\.yaml$)/, `$1${root}/`);
    const variables = Object.entries(environment).map(([name, value]) => [name, inRoot(value)]);
    const found = bundleFor(words.map(inRoot), Object.fromEntries(variables), join(root, "dist"));
    t.is(found !== undefined, isUsed);
  });
}

test("a plugin from outside finds one copy of the tokens, since the agent then comes from its modules", async (t) => {
  const directory = await examplePlugin(t);
  const parameters = ["--config", join(directory, "tenuto.yaml")];
  for (const env of [BUNDLE, MODULES]) {
    const { status, stdout, stderr } = await tenuto(["agent", "--check", ...parameters], { env });
    t.is(status, 0, stderr);
    t.regex(stdout, /flavor with-event-log \(.*, event-log\)/);
  }
});
