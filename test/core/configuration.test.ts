import test from "ava";
import { z } from "zod";
import { AgentInfo } from "#core/agent/index.js";
import {
  type ConfigurationInput,
  checkConfiguration,
  configurationSchema,
  duration,
  resolveConfiguration,
} from "#core/config/index.js";
import { InvalidInputError } from "#core/errors.js";
import { flavor } from "#core/flavor/index.js";
import { inject, PluginConfig, plugin } from "#core/plugin/index.js";
import { agentOf, thrownBy } from "./support/agents.js";

const busConfig = z.strictObject({
  url: z.string().default(""),
  servers: z.array(z.string()).default([]),
  port: z.number().int().min(1).max(65535).default(4222),
  enabled: z.boolean().default(true),
  mode: z.enum(["push", "pull"]).default("push"),
  wait: duration.prefault("2s"),
  password: z.string().default(""),
  device_id: z.string().default("").meta({ secret: true }),
  tls: z.strictObject({ verify: z.boolean().default(true), ca_file: z.string().default("") }).prefault({}),
});

@plugin({ name: "my-bus", config: busConfig })
class BusPlugin {
  constructor(@inject(PluginConfig) readonly config: z.infer<typeof busConfig>) {}
}

@plugin({ name: "plain" })
class PlainPlugin {}

const bus = flavor("bus", [BusPlugin, PlainPlugin]);

function resolved(input: ConfigurationInput): z.infer<typeof busConfig> {
  return resolveConfiguration(bus, input).sections.get("my-bus") as z.infer<typeof busConfig>;
}

test("what is not given has the default of the schema", (t) => {
  t.deepEqual(resolved({}), {
    url: "",
    servers: [],
    port: 4222,
    enabled: true,
    mode: "push",
    wait: 2000,
    password: "",
    device_id: "",
    tls: { verify: true, ca_file: "" },
  });
});

test("the command line is stronger than the environment, and the environment than the file", (t) => {
  const content = { "my-bus": { url: "file", port: 1, mode: "pull" } };
  const environment = { TENUTO_MY_BUS_URL: "environment", TENUTO_MY_BUS_PORT: "2" };
  const { url, port, mode } = resolved({ content, environment, assignments: ["my-bus.url=command line"] });
  t.deepEqual({ url, port, mode }, { url: "command line", port: 2, mode: "pull" });
});

test("of two assignments to one field the last one counts", (t) => {
  t.is(resolved({ assignments: ["my-bus.port=1", "my-bus.port=2"] }).port, 2);
});

for (const [assignment, field, value] of [
  ["my-bus.port=5", "port", 5],
  ["my-bus.url=5", "url", "5"],
  ["my-bus.url=a=b", "url", "a=b"],
  ["my-bus.url=", "url", ""],
  ["my-bus.enabled=false", "enabled", false],
  ["my-bus.servers=a, b,c", "servers", ["a", "b", "c"]],
  ['my-bus.servers=["a","b"]', "servers", ["a", "b"]],
  ["my-bus.servers=", "servers", []],
  ["my-bus.wait=500ms", "wait", 500],
  ["my-bus.wait=1.5s", "wait", 1500],
  ["my-bus.wait=2m", "wait", 120_000],
  ["my-bus.wait=1h", "wait", 3_600_000],
  ["my-bus.wait=1h1m0.5s", "wait", 3_660_500],
  ["my-bus.wait=3", "wait", 3000],
  ["my-bus.tls.verify=false", "tls", { verify: false, ca_file: "" }],
  ['my-bus.tls={"ca_file":"x"}', "tls", { verify: true, ca_file: "x" }],
] as const) {
  test(`--set ${assignment} is read by the field's type`, (t) => {
    t.deepEqual(resolved({ assignments: [assignment] })[field], value as never);
  });
}

test("a nested field and a plugin name with a dash have their environment variables", (t) => {
  t.is(resolved({ environment: { TENUTO_MY_BUS_TLS_CA_FILE: "ca.pem" } }).tls.ca_file, "ca.pem");
});

test("levels by logger are set one by one on the command line", (t) => {
  const { sections } = resolveConfiguration(bus, {
    content: { log: { levels: { plain: "warn" } } },
    assignments: ["log.levels.my-bus=debug"],
  });
  t.deepEqual((sections.get("log") as { levels: object }).levels, { plain: "warn", "my-bus": "debug" });
});

const refusals: readonly (readonly [input: ConfigurationInput, message: string])[] = [
  [
    { content: { "my-bus": { port: "many" } }, origin: "tenuto.yaml" },
    'my-bus.port (tenuto.yaml): was "many", expected number',
  ],
  [{ content: { "my-bus": { port: 70000 } } }, "my-bus.port (configuration): was 70000, expected number to be <=65535"],
  [{ environment: { TENUTO_MY_BUS_PORT: "many" } }, 'my-bus.port (TENUTO_MY_BUS_PORT): was "many", expected number'],
  [{ assignments: ["my-bus.enabled=maybe"] }, 'my-bus.enabled (--set): was "maybe", expected boolean'],
  [
    { content: { "my-bus": { mode: "pusch" } } },
    'my-bus.mode (configuration): was "pusch", expected one of: push, pull; did you mean "push"?',
  ],
  [
    { content: { "my-bus": { wait: "soon" } } },
    'my-bus.wait (configuration): was "soon", expected a duration such as 500ms, 10s, 5m or 1h',
  ],
  [
    { content: { "my-bus": { ulr: "x" } } },
    "my-bus.ulr (configuration): unknown field, expected one of: url, servers, port, enabled, mode, wait, password, device_id, " +
      'tls; did you mean "url"?',
  ],
  [
    { content: { "my-bus": { tls: { verfy: true } } } },
    'my-bus.tls.verfy (configuration): unknown field, expected one of: verify, ca_file; did you mean "verify"?',
  ],
  [{ content: { "my-bus": { servers: ["a", 5] } } }, "my-bus.servers[1] (configuration): was 5, expected string"],
  [{ content: { "my-bus": [] } }, "my-bus (configuration): was [], expected object"],
  [
    { content: { mybus: {} } },
    'mybus (configuration): unknown section, expected one of: agent, log, scheduler, my-bus; did you mean "my-bus"? (flavor bus)',
  ],
  [
    { content: { plain: {} } },
    "plain (configuration): unknown section, expected one of: agent, log, scheduler, my-bus (flavor bus)",
  ],
  [
    { environment: { TENUTO_MY_BUS_ULR: "x" } },
    "TENUTO_MY_BUS_ULR (environment): sets no field of section my-bus; did you mean TENUTO_MY_BUS_URL?",
  ],
  [
    { assignments: ["my-bus.ulr=x"] },
    "my-bus.ulr (--set): unknown field, expected one of: url, servers, port, enabled, mode, wait, password, device_id, tls; did " +
      'you mean "url"?',
  ],
  [
    { assignments: ["mybus.url=x"] },
    'mybus (--set): unknown section, expected one of: agent, log, scheduler, my-bus; did you mean "my-bus"?',
  ],
  [{ assignments: ["my-bus.url"] }, "my-bus.url (--set): expected section.field=value"],
  [{ assignments: ["url=x"] }, "url=x (--set): expected section.field=value"],
  [
    { content: { log: { level: "loud" } } },
    'log.level (configuration): was "loud", expected one of: trace, debug, info, warn, error, fatal, silent',
  ],
  [{ content: { "my-bus": { password: 12345 } } }, 'my-bus.password (configuration): was "***", expected string'],
];

for (const [input, message] of refusals) {
  test(`refused: ${message}`, async (t) => {
    const error = await thrownBy(InvalidInputError, () => resolveConfiguration(bus, input));
    t.is(error.code, "CONFIG_INVALID");
    t.is(error.message, message);
  });
}

test("every problem is told at once, a line each", (t) => {
  const checked = checkConfiguration(bus, {
    content: { nots: {}, "my-bus": { port: 0 } },
    assignments: ["my-bus.mode=x"],
  });
  t.false(checked.ok);
  if (!checked.ok) t.deepEqual(checked.problems.map(({ path }) => path).sort(), ["my-bus.mode", "my-bus.port", "nots"]);
});

test("a variable of another flavor's section is a warning, not an error", (t) => {
  const checked = checkConfiguration(bus, {
    environment: { TENUTO_KAFKA_BROKERS: "x:9092", TENUTO_LABEL: "t1", HOME: "/" },
  });
  t.true(checked.ok);
  if (checked.ok)
    t.deepEqual(checked.configuration.warnings, [
      "environment variable TENUTO_KAFKA_BROKERS sets nothing in this flavor",
    ]);
});

test("an empty section in a file is a section with defaults", (t) => {
  t.is(resolved({ content: { "my-bus": null } }).port, 4222);
});

test("a plugin gets its own section", async (t) => {
  await using agent = agentOf([BusPlugin], { configuration: { "my-bus": { port: 7 } } });
  await agent.start();
  t.is(agent.get(BusPlugin).config.port, 7);
});

test("the agent shows its configuration with secrets masked", async (t) => {
  await using agent = agentOf([BusPlugin], {
    configuration: { "my-bus": { url: "nats://user:pass@host:4222", password: "pass", device_id: "x7" } },
  });
  await agent.start();
  const shown = agent.get(AgentInfo).configuration as Record<string, z.infer<typeof busConfig>>;
  const { url, password, device_id } = shown["my-bus"]!;
  t.deepEqual({ url, password, device_id }, { url: "nats://***@host:4222", password: "***", device_id: "***" });
  t.is(agent.get(BusPlugin).config.password, "pass");
});

test("the JSON schema of a flavor describes its sections, their fields and defaults, and refuses others", (t) => {
  const schema = configurationSchema(bus) as {
    additionalProperties: boolean;
    properties: Record<string, { properties: Record<string, object>; additionalProperties: boolean }>;
  };
  t.false(schema.additionalProperties);
  t.deepEqual(Object.keys(schema.properties), ["label", "flavor", "agent", "log", "scheduler", "my-bus"]);
  t.deepEqual(schema.properties["my-bus"]?.properties.port, {
    type: "integer",
    minimum: 1,
    maximum: 65535,
    default: 4222,
  });
  t.false(schema.properties["my-bus"]?.additionalProperties);
});
