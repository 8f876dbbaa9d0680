import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { copyFile, mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { Child } from "./child.js";
import { eventually } from "./eventually.js";
import { findProgram } from "./programs.js";

const execute = promisify(execFile);

/** Engines with Docker's API. */
export type EngineKind = "docker" | "podman";

const DAEMONS: Readonly<Record<EngineKind, string>> = { docker: "dockerd", podman: "podman" };
const IMAGE = "box";
const START_MS = 120_000;

/** Why no container engine can be started here, as one line; `undefined` when one can. */
export function whyNoEngine(kind: EngineKind): string | undefined {
  const programs = [DAEMONS[kind], "docker", "busybox"];
  const missing = programs.filter((program) => findProgram(program) === undefined);
  if (missing.length > 0) return `${missing.join(", ")} not installed (Debian: docker.io, podman, busybox-static)`;
  const [inside, outside] = readFileSync("/proc/self/uid_map", "utf8").trim().split(/\s+/);
  return inside === "0" && outside === "0" ? undefined : "a container engine needs root";
}

/** A container engine of the test's own: in its sandbox, without networks, with one image that is nothing but BusyBox. */
export class TestEngine {
  private constructor(
    private readonly kind: EngineKind,
    private daemon: Child,
    readonly socket: string,
    private readonly directory: string,
  ) {}

  static async start(kind: EngineKind): Promise<TestEngine> {
    const directory = await mkdtemp(join(tmpdir(), `tenuto-${kind}-`));
    const socket = join(directory, "engine.sock");
    const engine = new TestEngine(kind, await DAEMON_STARTERS[kind](directory, socket), socket, directory);
    await engine.answers();
    await engine.makeImage();
    return engine;
  }

  /** Runs a `docker` command and returns what it prints. */
  async docker(...parameters: readonly string[]): Promise<string> {
    const { stdout } = await execute("docker", ["--host", `unix://${this.socket}`, ...parameters]);
    return stdout.trim();
  }

  /** Starts a container that does nothing and has a network namespace with a loopback. Returns its first process. */
  async runContainer(name: string, ...options: readonly string[]): Promise<string> {
    await this.docker(
      "run",
      "--detach",
      "--network=none",
      "--name",
      name,
      ...options,
      IMAGE,
      "busybox",
      "sleep",
      "9999",
    );
    return this.pidOf(name);
  }

  pidOf(name: string): Promise<string> {
    return this.docker("inspect", "--format", "{{.State.Pid}}", name);
  }

  /** Ends the engine, and with it every container. */
  async stop(): Promise<void> {
    const containers = await this.docker("ps", "--all", "--quiet");
    if (containers !== "") await this.docker("stop", "--time", "0", ...containers.split("\n"));
    await this.leave();
  }

  /** Ends the engine. Podman's containers do without it. */
  async leave(): Promise<void> {
    await this.daemon.stop();
  }

  /** Ends it for good. */
  async end(): Promise<void> {
    await this.stop();
    await rm(this.directory, { recursive: true, force: true });
  }

  /** Starts the engine that was stopped. */
  async restart(): Promise<void> {
    this.daemon = await DAEMON_STARTERS[this.kind](this.directory, this.socket);
    await this.answers();
  }

  private async answers(): Promise<void> {
    await eventually(() => this.docker("version"), { timeout: START_MS, what: "the container engine" });
  }

  private async makeImage(): Promise<void> {
    const root = join(this.directory, "root");
    await mkdir(join(root, "bin"), { recursive: true });
    await copyFile(findProgram("busybox") ?? "", join(root, "bin/busybox"));
    await symlink("busybox", join(root, "bin/sh"));
    const archive = join(this.directory, "root.tar");
    await execute("tar", ["--create", "--directory", root, "--file", archive, "."]);
    await this.docker("import", archive, IMAGE);
  }
}

const DAEMON_STARTERS: Readonly<Record<EngineKind, (directory: string, socket: string) => Promise<Child>>> = {
  docker: startDocker,
  podman: startPodman,
};

function startDocker(directory: string, socket: string): Promise<Child> {
  return Child.start([
    findProgram("dockerd") ?? "dockerd",
    "--bridge=none",
    "--iptables=false",
    "--storage-driver=vfs",
    // Both directories of the sandbox are its own, and go with it.
    "--data-root=/var/lib/docker",
    "--exec-root=/run/docker",
    `--pidfile=${join(directory, "pid")}`,
    `--host=unix://${socket}`,
  ]);
}

/** Without systemd, and within the limits that a test may be in. */
const PODMAN_SETTINGS = `[engine]
cgroup_manager = "cgroupfs"
events_logger = "file"
[containers]
default_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]
`;

async function startPodman(directory: string, socket: string): Promise<Child> {
  const settings = join(directory, "containers.conf");
  await writeFile(settings, PODMAN_SETTINGS);
  const store = ["--storage-driver=vfs", "--root=/var/lib/podman", "--runroot=/run/podman", "--tmpdir=/run/podman-tmp"];
  const service = ["system", "service", "--time=0", `unix://${socket}`];
  return Child.start([findProgram("podman") ?? "podman", ...store, ...service], { env: { CONTAINERS_CONF: settings } });
}
