/**
 * Runs the tests: what `npm test` does after installing and building.
 *
 *     npm test                                   everything
 *     npm test -- dist/test/nats/*.test.js       some files; any parameter of ava works
 *     npm test -- --setup                        only installs the programs that tests need
 *     npm test -- --again                        few files that fail are run once more by themselves, which is told
 *     npm run test:long                          the endurance tests with their full counts
 *     npm run coverage                           everything, with a report in coverage/
 */
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { whyNoEngine } from "./support/container-engine.js";
import { LONG_VARIABLE } from "./support/counts.js";
import { failedFiles } from "./support/failed-files.js";
import { archiveKafkaClasses } from "./support/kafka-server.js";
import { runInMachine } from "./support/machine.js";
import { machineFile, makeMachineFiles } from "./support/machine-files.js";
import { installMachine, machineParts } from "./support/machine-kernel.js";
import {
  browserProgram,
  installPrograms,
  missing,
  natsServerProgram,
  type Say,
  whyNoHungFileSystem,
} from "./support/programs.js";
import { projectRoot } from "./support/project.js";
import { openSharedBrokers } from "./support/shared-brokers.js";
import { countTests, type TestCounts } from "./support/test-counts.js";
import { divide, LINES, placeOf, testFiles } from "./support/test-files.js";

const NO_KAFKA =
  "kafka: none here, so its tests are skipped. Start Docker, install a JDK and Maven (as DEVELOPERS.md says), or set KAFKA_BROKERS.";
const NO_BROWSER = "web page: no browser here, so it is not looked at in one. Install Chromium (Debian: chromium).";
const NO_MACHINE =
  "so the tests that run in one are left out. `npm test -- --setup` gets it on Debian, as root (as DEVELOPERS.md says).";
const NO_USER_NAMESPACES =
  "An ordinary user needs user namespaces to run the tests, and they are switched off here " +
  "(see sysctl kernel.unprivileged_userns_clone, user.max_user_namespaces, kernel.apparmor_restrict_unprivileged_userns). " +
  "Switch them on or run as root.";

/** The tests that do more when they are given time, and how they are run; files that are named are run instead. */
const ENDURANCE = ["dist/test/*/*-endurance{,.machine}.test.js"];
const WITH_TIME = ["--timeout=45m", "--concurrency=1"];

/** Parameters that are not ava's. */
const OWN = new Set(["--setup", "--coverage", "--long", "--again"]);

/** Where V8 writes what was run, here and in the machine. */
const MEASUREMENTS = join(projectRoot, "coverage/tmp");

/** Tells ava's configuration that this is the machine. */
const MACHINE_VARIABLE = "TENUTO_TEST_MACHINE";

/**
 * Code that V8 compiles has to be translated again by QEMU, which costs more than it saves: a fifth of the time. (Without compiled code there is no
 * WebAssembly either, and V8 says so in every process that was not told.) The tests' processes have it from ava.config.mjs.
 */
const EMULATED = ["--jitless", "--no-expose-wasm"];

/** The machine shares the processors with all other tests: generous, since only a failure waits that long. */
const MACHINE_TIME_LIMIT = 45 * 60_000;

const say = (line: string): void => console.log(line);

/** ava, for the tests of one place. */
function avaCommand(parameters: readonly string[], node: readonly string[] = []): readonly string[] {
  const color = process.stdout.isTTY ? ["--color"] : [];
  return [
    process.execPath,
    ...node,
    join(projectRoot, "node_modules/ava/entrypoints/cli.mjs"),
    ...color,
    ...parameters,
  ];
}

/** The command in a user namespace of its own for an ordinary user: the sandbox needs its privileges. */
function privileged(command: readonly string[]): readonly string[] {
  if (process.getuid?.() === 0) return command;
  const asRoot = ["unshare", "--user", "--map-root-user"];
  if (spawnSync("unshare", [...asRoot.slice(1), "true"]).status !== 0) throw new Error(NO_USER_NAMESPACES);
  return [...asRoot, ...command];
}

/** Ctrl-C reaches the tests by themselves; this process stays to stop the brokers. */
const stopping = new AbortController();
const STOP = stopping.signal;
process.on("SIGINT", () => undefined);
process.on("SIGTERM", () => stopping.abort());

interface Outcome {
  readonly status: number;
  readonly output: string;
}

type Environment = Readonly<Record<string, string>>;

/** Runs the tests that belong here. */
async function runHere(parameters: readonly string[], environment: Environment, show: Say): Promise<Outcome> {
  const child = spawn("setpriv", ["--pdeathsig", "TERM", "--", ...privileged(avaCommand(parameters))], {
    cwd: projectRoot,
    env: { ...process.env, ...environment },
    stdio: ["inherit", "pipe", "inherit"],
  });
  STOP.addEventListener("abort", () => child.kill("SIGTERM"));
  let output = "";
  child.stdout.setEncoding("utf8").on("data", (chunk: string) => {
    output += chunk;
    show(chunk);
  });
  const [status] = (await once(child, "close")) as [number | null];
  return { status: status ?? 1, output };
}

const isConcurrency = (parameter: string): boolean => /^(-c|--concurrency)/.test(parameter);

/** Runs the tests that belong in the machine. A machine that broke down is a failure with its reason. */
async function runThere(asked: readonly string[], environment: Environment, show: Say): Promise<Outcome> {
  let output = "";
  const onOutput = (text: string): void => {
    output += text;
    show(text);
  };
  try {
    // What was run of which line of a source, and which line a test is in, is known of modules only.
    const needsModules = environment.NODE_V8_COVERAGE !== undefined || asked.some((each) => LINES.test(each));
    if (!needsModules) await makeMachineFiles(testFiles().filter((file) => placeOf(file) === "machine"));
    const parameters = needsModules ? asked : asked.map(machineFile);
    const status = await runInMachine({
      command: avaCommand([...(parameters.some(isConcurrency) ? [] : ["--concurrency=2"]), ...parameters], EMULATED),
      environment: {
        ...environment,
        [MACHINE_VARIABLE]: needsModules ? "modules" : "bundled",
      },
      onOutput,
      timeLimit: MACHINE_TIME_LIMIT,
      signal: STOP,
    });
    return { status, output };
  } catch (error) {
    onOutput(`\n  ✘ ${error instanceof Error ? error.message : error}\n`);
    return { status: 1, output };
  }
}

/** Runs the tests wherever they belong, at the same time; what the machine's say is shown after what those here say. */
async function runEverywhere(parameters: readonly string[], environment: Environment): Promise<readonly Outcome[]> {
  const write: Say = (text) => void process.stdout.write(text);
  const divided = divide(parameters, testFiles());
  const forHere = divided.get("here");
  const forMachine = typeof machineParts() === "string" ? undefined : divided.get("machine");
  if (forHere === undefined) return forMachine === undefined ? [] : [await runThere(forMachine, environment, write)];
  if (forMachine === undefined) return [await runHere(forHere, environment, write)];
  const held = ["\n  In the machine:\n"];
  let show: Say = (text) => void held.push(text);
  const inMachine = runThere(forMachine, environment, (text) => show(text));
  const here = await runHere(forHere, environment, write);
  write(held.join(""));
  show = write;
  return foundSomething([here, await inMachine]);
}

/** Where titles are asked for, one of the places may have none of them. */
function foundSomething(outcomes: readonly Outcome[]): readonly Outcome[] {
  const found = outcomes.filter(({ output }) => !output.includes("Couldn’t find any matching tests"));
  return found.length === 0 ? outcomes : found;
}

function reportCoverage(): void {
  const reporters = ["text-summary", "html", "lcovonly"].map((reporter) => `--reporter=${reporter}`);
  const c8 = [
    join(projectRoot, "node_modules/c8/bin/c8.js"),
    "report",
    `--temp-directory=${MEASUREMENTS}`,
    ...reporters,
  ];
  spawnSync(process.execPath, c8, { cwd: projectRoot, stdio: "inherit" });
}

/** Says what this machine lacks, a line each. Continuous integration must not leave any test out. */
function sayWhatIsMissing(hasKafka: boolean): void {
  const [noEngine, noPodman, noMachine] = [whyNoEngine("docker"), whyNoEngine("podman"), machineParts()];
  const noHungFiles = whyNoHungFileSystem();
  const missingHere = [
    ...(hasKafka ? [] : [NO_KAFKA]),
    ...(noEngine === undefined ? [] : [`containers: ${noEngine}, so the tests of microservices are skipped.`]),
    ...(browserProgram() === undefined ? [NO_BROWSER] : []),
    ...(typeof noMachine === "string" ? [`machine: ${noMachine}, ${NO_MACHINE}`] : []),
  ];
  if (noPodman !== undefined) say(`Podman: ${noPodman}, so its tests are skipped.`);
  if (noHungFiles !== undefined)
    say(`FUSE: ${noHungFiles}, so the tests of file systems that never answer are skipped.`);
  missingHere.forEach(say);
  if (missingHere.length > 0 && process.env.CI === "true") {
    throw new Error("continuous integration must not skip tests");
  }
}

/**
 * Runs the few files that have failed once more, one after the other and beside nothing else, and returns how many of their failed tests
 * are made good by that: all or none. A test that needs it is a defect all the same, and is named.
 */
async function passAlone(outcomes: readonly Outcome[], environment: Environment): Promise<number> {
  const failures = outcomes.flatMap(({ output, status }) => {
    const { failed } = countTests(output, status);
    return failed === 0 ? [] : [{ failed, found: failedFiles(output, testFiles(), failed) }];
  });
  const files = failures.flatMap(({ found }) => found?.files ?? []);
  if (files.length === 0 || failures.some(({ found }) => found === undefined)) return 0;
  say(`\n  Again, by themselves: ${files.join(" ")}\n`);
  for (const file of files) {
    const again = await runEverywhere([file], environment);
    if (again.some(({ output, status }) => countTests(output, status).failed > 0)) return 0;
  }
  for (const { found } of failures)
    for (const title of found?.titles ?? []) say(`failed beside others, passed alone: ${title}`);
  return failures.reduce((total, { failed }) => total + failed, 0);
}

async function main(parameters: readonly string[]): Promise<number> {
  installPrograms(say);
  installMachine(say);
  await archiveKafkaClasses(say);
  if (natsServerProgram() === undefined) missing("nats-server");
  if (parameters.includes("--setup")) return 0;

  const brokers = await openSharedBrokers(say);
  try {
    sayWhatIsMissing(brokers.kafka);
    const isLong = parameters.includes("--long");
    const isMeasured = parameters.includes("--coverage");
    const asked = parameters.filter((parameter) => !OWN.has(parameter));
    const isOfAll = asked.every((parameter) => parameter.startsWith("-"));
    const forAva = [...(isLong ? [...WITH_TIME, ...(isOfAll ? ENDURANCE : [])] : []), ...asked];
    if (isMeasured) await rm(MEASUREMENTS, { recursive: true, force: true });
    const environment = {
      ...brokers.environment,
      ...(isLong ? { [LONG_VARIABLE]: "yes" } : {}),
      ...(isMeasured ? { NODE_V8_COVERAGE: MEASUREMENTS } : {}),
    };
    const outcomes = await runEverywhere(forAva, environment);
    if (isMeasured) reportCoverage();
    const counts = outcomes.map(({ output, status }) => countTests(output, status));
    const sum = (what: keyof TestCounts): number => counts.reduce((total, each) => total + each[what], 0);
    const mended = parameters.includes("--again") ? await passAlone(outcomes, environment) : 0;
    const failed = sum("failed") - mended;
    say(
      `${sum("passed") + mended} passed, ${failed} failed${sum("skipped") === 0 ? "" : `, ${sum("skipped")} skipped`}`,
    );
    return failed === 0 ? 0 : Math.max(1, ...outcomes.map(({ status }) => status));
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
