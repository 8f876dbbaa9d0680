/**
 * Where the programs that tests need are on this machine, and how to get them: `npm test` calls {@link installPrograms} before it
 * starts ava, outside any sandbox, since a test process has no way out to a package registry.
 */
import { spawnSync } from "node:child_process";
import { accessSync, constants, existsSync, mkdirSync, renameSync, rmSync } from "node:fs";
import { delimiter, join } from "node:path";
import { cacheDirectory, projectRoot } from "./project.js";

/** Version that Go installs where Debian's package cannot be had. */
const NATS_SERVER_MODULE = "github.com/nats-io/nats-server/v2@v2.10.29";
/** As in docker-compose.yml. */
const NATS_IMAGE = "nats:2.11-alpine";
const KAFKA_VERSION = "3.9.1";

const binaries = join(cacheDirectory, "bin");
const kafkaLibraries = join(cacheDirectory, `kafka-${KAFKA_VERSION}`);

/** Directories that hold servers but are not on every user's PATH. virtiofsd is in the last two, by release. */
const SYSTEM_DIRECTORIES = ["/usr/local/sbin", "/usr/sbin", "/sbin", "/usr/libexec", "/usr/lib/qemu"];

/** The full path of a program: on PATH, among the system's servers or in the project's cache. */
export function findProgram(name: string): string | undefined {
  const directories = [...(process.env.PATH ?? "").split(delimiter), ...SYSTEM_DIRECTORIES, binaries];
  return directories.map((directory) => join(directory, name)).find(isExecutable);
}

export function natsServerProgram(): string | undefined {
  return findProgram("nats-server");
}

export interface KafkaProgram {
  readonly java: string;
  readonly classPath: string;
  /** Where a Java of 13 or later keeps a broker's classes as it has them in memory; there need be none. */
  readonly classArchive: string;
}

/** Java and the jars of a broker; `undefined` when one of them is missing. */
export function kafkaProgram(): KafkaProgram | undefined {
  const java = findProgram("java");
  if (java === undefined || !existsSync(kafkaLibraries)) return undefined;
  return { java, classPath: join(kafkaLibraries, "*"), classArchive: join(kafkaLibraries, "broker.jsa") };
}

/** What a Chromium that can do without a screen is called. */
const BROWSERS = ["chromium-headless-shell", "chromium", "google-chrome"];

export function browserProgram(): string | undefined {
  return BROWSERS.map(findProgram).find((path) => path !== undefined);
}

export const FUSE_DEVICE = "/dev/fuse";

/** Why there can be no file system that never answers (hung-file-system.ts); `undefined` when there can. */
export function whyNoHungFileSystem(): string | undefined {
  return existsSync(FUSE_DEVICE) ? undefined : `there is no ${FUSE_DEVICE}`;
}

/** Throws what a test says that needs a program nobody installed. */
export function missing(program: string): never {
  throw new Error(`${program} is not installed; \`npm test -- --setup\` installs what the tests need`);
}

/** Lines of progress for whoever started the tests. */
export type Say = (line: string) => void;

/**
 * Fetches what is missing: nats-server by apt-get (root), Go or Docker, Kafka's jars by Maven, the rest by apt-get. Tries what this machine has
 * and leaves missing what it cannot get; the finders above tell.
 */
export function installPrograms(say: Say): void {
  if (findProgram("ip") === undefined) aptGet(["iproute2"], say);
  if (findProgram("ping") === undefined) aptGet(["iputils-ping"], say);
  if (natsServerProgram() === undefined) installNatsServer(say);
  if (findProgram("dockerd") === undefined) aptGet(["docker.io"], say);
  if (findProgram("podman") === undefined) aptGet(["podman"], say);
  if (findProgram("busybox") === undefined) aptGet(["busybox-static"], say);
  // The smaller one is not in every release.
  if (browserProgram() === undefined) aptGet(["chromium-headless-shell"], say) || aptGet(["chromium"], say);
  if (kafkaProgram() === undefined) installKafka(say);
}

function installNatsServer(say: Say): void {
  if (aptGet(["nats-server"], say)) return;
  mkdirSync(binaries, { recursive: true });
  const go = findProgram("go");
  if (go !== undefined && attempt([go, "install", NATS_SERVER_MODULE], say, { GOBIN: binaries, GOFLAGS: "" })) return;
  if (hasContainerEngine()) copyFromImage(say);
}

/** The program in the image that Compose runs is a static one. */
function copyFromImage(say: Say): void {
  const container = `tenuto-nats-${process.pid}`;
  if (!attempt(["docker", "create", "--name", container, NATS_IMAGE], say)) return;
  attempt(["docker", "cp", `${container}:/usr/local/bin/nats-server`, join(binaries, "nats-server")], say);
  attempt(["docker", "rm", container], say);
}

let engine: boolean | undefined;

/** Docker with its Compose plugin, and a daemon that answers. */
export function hasContainerEngine(): boolean {
  engine ??= [["info"], ["compose", "version"]].every(
    (parameters) => spawnSync("docker", parameters, { stdio: "ignore" }).status === 0,
  );
  return engine;
}

function installKafka(say: Say): void {
  const maven = findProgram("mvn");
  if (maven === undefined || findProgram("java") === undefined) return;
  // Fetched beside its place and then moved: an interrupted download must not look complete.
  const partial = `${kafkaLibraries}.${process.pid}`;
  const pom = join(projectRoot, "test/support/kafka/pom.xml");
  const goal = ["dependency:copy-dependencies", `-DoutputDirectory=${partial}`, `-Dkafka.version=${KAFKA_VERSION}`];
  if (attempt([maven, "--batch-mode", "--quiet", "-f", pom, ...goal], say) && !existsSync(kafkaLibraries)) {
    renameSync(partial, kafkaLibraries);
  }
  rmSync(partial, { recursive: true, force: true });
}

let listsAreFresh = false;

const APT_GET = ["apt-get", "-qq", "-o", "Acquire::Retries=3"] as const;
const NO_QUESTIONS = { DEBIAN_FRONTEND: "noninteractive" };

/** Fetches apt's lists of packages, once; only the superuser can, and others go on with those there are. */
export function freshLists(say: Say): boolean {
  if (findProgram("apt-get") === undefined || process.getuid?.() !== 0) return false;
  listsAreFresh ||= attempt([...APT_GET, "update"], say, NO_QUESTIONS);
  return listsAreFresh;
}

export function aptGet(packages: readonly string[], say: Say): boolean {
  const command = [...APT_GET, "install", "-y", "--no-install-recommends", ...packages];
  return freshLists(say) && attempt(command, say, NO_QUESTIONS);
}

/** Runs an installer; on failure shows what it said and returns false. */
export function attempt(
  command: readonly string[],
  say: Say,
  environment: Readonly<Record<string, string>> = {},
  directory = projectRoot,
): boolean {
  const [program = "", ...parameters] = command;
  say(command.join(" "));
  const options = { encoding: "utf8", cwd: directory, env: { ...process.env, ...environment } } as const;
  const { status, stdout, stderr, error } = spawnSync(program, parameters, options);
  if (status === 0) return true;
  say(`that failed: ${error?.message ?? `${stdout}${stderr}`.trim()}`);
  return false;
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
