/** The examples run as they are, and the files for containers say what the project says elsewhere. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import test from "ava";
import { parse } from "yaml";
import { agentProcess } from "#test/support/agent-process.js";
import { eventually } from "#test/support/eventually.js";
import { examplePlugin } from "#test/support/example-plugin.js";
import { projectRoot } from "#test/support/project.js";
import { link } from "#test/support/sandbox.js";

test("a plugin with its own package.json is loaded by name from a configuration file, and gets the agent's events", async (t) => {
  const directory = await examplePlugin(t);

  const events = join(directory, "events.jsonl");
  const agent = await agentProcess({
    label: "custom",
    configurationFile: join(directory, "tenuto.yaml"),
    args: ["--set", `event-log.path=${events}`],
  });
  t.teardown(() => agent.stop());
  const applied = await agent.tenuto(["apply", "-f", join(projectRoot, "examples/first-message/transaction.json")]);
  t.is(applied.status, 0, applied.stderr);
  t.truthy(await link("to-green"));
  const written = await eventually(async () => {
    const lines = (await readFile(events, "utf8")).trim().split("\n");
    return lines.some((line) => line.includes("io.tenuto.interface.state")) ? lines : undefined;
  });
  for (const line of written) t.regex(line, /^\{.*"source":"\/tenuto\/custom".*\}$/);
});

interface ComposeFile {
  readonly services: Readonly<Record<string, { readonly image?: string; readonly command?: readonly string[] }>>;
  readonly volumes: object;
}

test("docker-compose.yml parses, and its versions are those of the tests", async (t) => {
  const compose = parse(await readFile(join(projectRoot, "docker-compose.yml"), "utf8")) as ComposeFile;
  t.deepEqual(Object.keys(compose.services), ["nats", "kafka", "tenuto"]);
  const programs = await readFile(join(projectRoot, "test/support/programs.ts"), "utf8");
  const { nats, kafka, tenuto } = compose.services;
  t.true(programs.includes(`"${nats?.image}"`));
  t.true(programs.includes(`KAFKA_VERSION = "${kafka?.image?.split(":")[1]}"`));
  t.true(nats?.command?.includes("--jetstream"));
  t.deepEqual(tenuto?.command, ["--label", "demo", "--flavor", "nats", "--nats", "nats://nats:4222"]);
});
