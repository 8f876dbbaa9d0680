/**
 * Runs the tests: what `npm test` does after installing and building.
 *
 *     npm test                                   everything
 *     npm test -- dist/test/nats/*.test.js       some files; any parameter of ava works
 *     npm test -- --setup                        only installs the programs that tests need
 *     npm run test:long                          the endurance tests with their full counts
 *     npm run coverage                           everything, with a report in coverage/
 */
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { whyNoEngine } from "./support/container-engine.js";
import { LONG_VARIABLE } from "./support/counts.js";
import { browserProgram, installPrograms, missing, natsServerProgram } from "./support/programs.js";
import { projectRoot } from "./support/project.js";
import { openSharedBrokers } from "./support/shared-brokers.js";
import { countTests } from "./support/test-counts.js";

const NO_KAFKA =
  "kafka: none here, so its tests are skipped. Start Docker, install a JDK and Maven (as DEVELOPERS.md says), or set KAFKA_BROKERS.";
const NO_BROWSER = "web page: no browser here, so it is not looked at in one. Install Chromium (Debian: chromium).";
const NO_USER_NAMESPACES =
  "An ordinary user needs user namespaces to run the tests, and they are switched off here " +
  "(see sysctl kernel.unprivileged_userns_clone, user.max_user_namespaces, kernel.apparmor_restrict_unprivileged_userns). " +
  "Switch them on or run as root.";

/** The tests that do more when they are given time. */
const ENDURANCE = ["dist/test/e2e/*-endurance.test.js", "--timeout=30m", "--concurrency=1"];

const say = (line: string): void => console.log(line);

/** The command that runs ava, in a user namespace of its own for an ordinary user: the sandbox needs its privileges. */
function testCommand(parameters: readonly string[], reporters: readonly string[]): readonly string[] {
  const modules = join(projectRoot, "node_modules");
  const color = process.stdout.isTTY ? ["--color"] : [];
  const ava = [process.execPath, join(modules, "ava/entrypoints/cli.mjs"), ...color, ...parameters];
  const c8 = [
    process.execPath,
    join(modules, "c8/bin/c8.js"),
    ...reporters.map((reporter) => `--reporter=${reporter}`),
  ];
  const measured = reporters.length === 0 ? ava : [...c8, ...ava];
  if (process.getuid?.() === 0) return measured;
  const asRoot = ["unshare", "--user", "--map-root-user"];
  if (spawnSync("unshare", [...asRoot.slice(1), "true"]).status !== 0) throw new Error(NO_USER_NAMESPACES);
  return [...asRoot, ...measured];
}

/** A run of everything ends with a summary of its coverage, which costs next to nothing; a report is made when asked for. */
function coverageReporters(forAva: readonly string[], wanted: boolean): readonly string[] {
  if (wanted) return ["text-summary", "html", "lcovonly"];
  return forAva.length === 0 ? ["text-summary"] : [];
}

/** Runs a command with its output shown and collected. */
async function show(
  command: readonly string[],
  environment: Readonly<Record<string, string>>,
): Promise<{ readonly status: number; readonly output: string }> {
  const [program = "", ...parameters] = command;
  const child = spawn(program, parameters, {
    cwd: projectRoot,
    env: { ...process.env, ...environment },
    stdio: ["inherit", "pipe", "inherit"],
  });
  // Ctrl-C reaches the tests by themselves; this process stays to stop the brokers.
  process.on("SIGINT", () => undefined);
  process.on("SIGTERM", () => child.kill("SIGTERM"));
  let output = "";
  child.stdout.setEncoding("utf8").on("data", (chunk: string) => {
    output += chunk;
    process.stdout.write(chunk);
  });
  const [status] = (await once(child, "close")) as [number | null];
  return { status: status ?? 1, output };
}

async function main(parameters: readonly string[]): Promise<number> {
  const own = new Set(["--setup", "--coverage", "--long"]);
  installPrograms(say);
  if (natsServerProgram() === undefined) missing("nats-server");
  if (parameters.includes("--setup")) return 0;

  const brokers = await openSharedBrokers(say);
  try {
    if (!brokers.kafka) {
      say(NO_KAFKA);
      if (process.env.CI === "true") throw new Error("continuous integration must not skip the Kafka tests");
    }
    const [noEngine, noPodman] = [whyNoEngine("docker"), whyNoEngine("podman")];
    if (noPodman !== undefined) say(`Podman: ${noPodman}, so its tests are skipped.`);
    if (noEngine !== undefined) {
      say(`containers: ${noEngine}, so the tests of microservices are skipped.`);
      if (process.env.CI === "true") throw new Error("continuous integration must not skip the tests of microservices");
    }
    if (browserProgram() === undefined) {
      say(NO_BROWSER);
      if (process.env.CI === "true") throw new Error("continuous integration must not skip the tests of the web page");
    }
    const isLong = parameters.includes("--long");
    const forAva = [...(isLong ? ENDURANCE : []), ...parameters.filter((parameter) => !own.has(parameter))];
    const command = testCommand(forAva, coverageReporters(forAva, parameters.includes("--coverage")));
    const { status, output } = await show(command, {
      ...brokers.environment,
      ...(isLong ? { [LONG_VARIABLE]: "yes" } : {}),
    });
    const { passed, failed, skipped } = countTests(output, status);
    say(`${passed} passed, ${failed} failed${skipped === 0 ? "" : `, ${skipped} skipped`}`);
    return status;
  } finally {
    await brokers.close();
  }
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}
