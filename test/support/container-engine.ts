import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { copyFile, mkdir, mkdtemp, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { Child } from "./child.js";
import { eventually } from "./eventually.js";
import { findProgram } from "./programs.js";

const execute = promisify(execFile);

const PROGRAMS = ["dockerd", "docker", "busybox"];
const IMAGE = "box";
const START_MS = 30_000;

/** Why no container engine can be started here, as one line; `undefined` when one can. */
export function whyNoEngine(): string | undefined {
  const missing = PROGRAMS.filter((program) => findProgram(program) === undefined);
  if (missing.length > 0) return `${missing.join(", ")} not installed (Debian: docker.io, busybox-static)`;
  const [inside, outside] = readFileSync("/proc/self/uid_map", "utf8").trim().split(/\s+/);
  return inside === "0" && outside === "0" ? undefined : "a container engine needs root";
}

/** A Docker engine of the test's own: in its sandbox, without networks, with one image that is nothing but BusyBox. */
export class DockerEngine {
  private constructor(
    private daemon: Child,
    readonly socket: string,
    private readonly directory: string,
  ) {}

  static async start(): Promise<DockerEngine> {
    const directory = await mkdtemp(join(tmpdir(), "tenuto-docker-"));
    const socket = join(directory, "docker.sock");
    const engine = new DockerEngine(await startDaemon(directory, socket), socket, directory);
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
    await this.daemon.stop();
  }

  /** Starts the engine that was stopped. */
  async restart(): Promise<void> {
    this.daemon = await startDaemon(this.directory, this.socket);
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

function startDaemon(directory: string, socket: string): Promise<Child> {
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
