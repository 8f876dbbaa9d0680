import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { json } from "node:stream/consumers";
import { Child } from "./child.js";
import { eventually } from "./eventually.js";
import { tenutoProgram } from "./project.js";
import { agentEnvironment, type CommandOptions, type CommandResult, tenuto } from "./tenuto.js";

const START_MS = 120_000;

export interface AgentOptions {
  /** Must differ among the agents of a test file. */
  readonly label: string;
  /** `embedded` when left out, or what the configuration file says. */
  readonly flavor?: string;
  /** More parameters for `tenuto agent`: `["--nats", url]`. */
  readonly args?: readonly string[];
  /** Configuration sections, written to a file for `--config`. */
  readonly configuration?: Readonly<Record<string, unknown>>;
  /** A file that is there already, instead; it may name the flavor. */
  readonly configurationFile?: string;
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** A program that starts the agent, such as setpriv(1) with its parameters. */
  readonly wrapper?: readonly string[];
  /**
   * When `agentProcess` returns: when the agent says that it is `ready` (every plugin is up, its bus is connected), or already
   * when it is `alive` (its local socket answers). Default `ready`.
   */
  readonly until?: "ready" | "alive";
}

export interface Answer {
  readonly status: number;
  /** Parsed JSON. */
  readonly body: unknown;
}

/** `tenuto agent` as a process of its own, in the sandbox's network. */
export interface AgentProcess {
  readonly label: string;
  /** Path of its local socket. */
  readonly socket: string;
  readonly pid: number;
  readonly running: boolean;
  readonly log: string;
  /** Runs `tenuto <parameters>` against this agent's socket. */
  tenuto(parameters: readonly string[], options?: CommandOptions): Promise<CommandResult>;
  /** One HTTP request over the local socket. */
  request(method: string, path: string, body?: unknown): Promise<Answer>;
  /** SIGTERM, and waits for the end. Deletes the configuration file; the store stays until the test process ends. */
  stop(): Promise<void>;
  /** SIGKILL: a crash. */
  kill9(): Promise<void>;
  /** Starts it again after `stop` or `kill9`, as it was started first. */
  restart(): Promise<void>;
}

/** Starts an agent and waits for it; throws with the agent's log when it does not come up. */
export async function agentProcess(options: AgentOptions): Promise<AgentProcess> {
  const directory = await mkdtemp(join(tmpdir(), "tenuto-agent-"));
  const socket = join(directory, "agent.sock");
  const configuration = options.configurationFile ?? join(directory, "tenuto.json");
  if (options.configurationFile === undefined)
    await writeFile(configuration, JSON.stringify(options.configuration ?? {}));
  const flavor = options.flavor ?? (options.configurationFile === undefined ? "embedded" : undefined);
  const parameters = ["--label", options.label, "--config", configuration];
  if (flavor !== undefined) parameters.push("--flavor", flavor);
  const command = [
    ...(options.wrapper ?? []),
    ...tenutoProgram,
    "agent",
    ...parameters,
    "--set",
    `http.socket=${socket}`,
    ...(options.args ?? []),
  ];

  const launch = async (): Promise<Child> => {
    const child = await Child.start(command, { env: { ...agentEnvironment, ...options.env } });
    try {
      await answering(child, socket, options.until ?? "ready");
      return child;
    } catch (error) {
      await child.kill();
      throw child.failure(error instanceof Error ? error.message : String(error));
    }
  };

  const discard = (): Promise<void> => rm(directory, { recursive: true, force: true });
  let child = await launch().catch(async (error: unknown) => {
    await discard();
    throw error;
  });
  return {
    label: options.label,
    socket,
    get pid() {
      return child.pid;
    },
    get running() {
      return child.running;
    },
    get log() {
      return child.log;
    },
    tenuto: (command, more) => tenuto([...command], { ...more, env: { TENUTO_SOCKET: socket, ...more?.env } }),
    request: (method, path, body) => ask(socket, method, path, body),
    async stop() {
      await child.stop();
      await discard();
    },
    async kill9() {
      await child.kill();
    },
    async restart() {
      await child.stop();
      child = await launch();
    },
  };
}

async function answering(child: Child, socket: string, until: "ready" | "alive"): Promise<void> {
  const path = until === "ready" ? "/readiness" : "/liveness";
  await eventually(
    async () => {
      if (!child.running) return "ended";
      const { status, body } = await ask(socket, "GET", path);
      // A degraded agent is ready too, by the contract; a test wants one that nothing is missing from.
      const fine = status === 200 && (until === "alive" || (body as { health?: string }).health === "ok");
      if (!fine) throw new Error(`it was ${status} ${JSON.stringify(body)}`);
      return "answers";
    },
    { timeout: START_MS, what: `GET ${path} to say ${until === "ready" ? "200 and health ok" : "200"}` },
  );
  if (!child.running) throw new Error("ended too early");
}

function ask(socketPath: string, method: string, path: string, body?: unknown): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const headers = body === undefined ? {} : { "content-type": "application/json" };
    const call = request({ socketPath, method, path, headers }, (response) => {
      json(response).then((parsed) => resolve({ status: response.statusCode ?? 0, body: parsed }), reject);
    });
    call.once("error", reject);
    call.end(body === undefined ? undefined : JSON.stringify(body));
  });
}
