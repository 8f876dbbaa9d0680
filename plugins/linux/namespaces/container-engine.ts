import { access } from "node:fs/promises";
import type Docker from "dockerode";
import { z } from "zod";
import { lazily } from "#core/lazily.js";

/** A running container, as far as it matters here. */
export interface Container {
  readonly id: string;
  /** Its first process, as the agent sees it. */
  readonly pid: number;
  /** `NAME=value`. */
  readonly environment: readonly string[];
  readonly labels: Readonly<Record<string, string>>;
}

export interface ContainerListener {
  /** These are all that run. */
  running(containers: readonly Container[]): void;
  started(container: Container): void;
  stopped(id: string): void;
}

/** How long the engine may take to answer a question, ms. */
const ANSWER_TIMEOUT = 10_000;
/** Docker and Podman call the end of a container differently. */
const EVENTS = { type: ["container"], event: ["start", "die", "died"] };
const containerEvent = z.object({ Actor: z.object({ ID: z.string() }) });

/**
 * The containers of one engine, over the Docker Engine API (https://docs.docker.com/reference/api/engine/), which Podman serves
 * too. The client library is loaded only where an engine is, since that takes a third of a second.
 */
export class ContainerEngine {
  private readonly closing = new AbortController();

  /** @param socketPath of the engine's Unix socket. */
  constructor(
    readonly socketPath: string,
    private readonly listener: ContainerListener,
  ) {}

  /** Tells what runs now and then every change. Resolves when the engine ends the conversation; rejects when it cannot be had. */
  async follow(): Promise<void> {
    await access(this.socketPath);
    const { default: Client } = await lazily(() => import("dockerode"));
    const client = new Client({ socketPath: this.socketPath, timeout: ANSWER_TIMEOUT });
    // What happens while the list is made comes again with the events: whole seconds are all that the engine knows.
    const since = Math.floor(Date.now() / 1000) - 1;
    this.listener.running(await listRunning(client));
    const { signal } = this.closing;
    const streaming = new Client({ socketPath: this.socketPath });
    const events = await streaming.getEvents({ since, filters: JSON.stringify(EVENTS), abortSignal: signal });
    for await (const line of linesOf(events)) {
      const id = containerOf(line);
      if (id === undefined) continue;
      const container = await inspect(client, id);
      if (signal.aborted) return;
      if (container === undefined) this.listener.stopped(id);
      else this.listener.started(container);
    }
  }

  close(): void {
    this.closing.abort();
  }
}

async function listRunning(client: Docker): Promise<readonly Container[]> {
  const listed = await client.listContainers();
  const inspected = await Promise.all(listed.map(({ Id }) => inspect(client, Id)));
  return inspected.filter((container) => container !== undefined);
}

/** `undefined` for a container that does not run (any more). */
async function inspect(client: Docker, id: string): Promise<Container | undefined> {
  try {
    const { State, Config } = await client.getContainer(id).inspect();
    if (!State.Running || State.Pid === 0) return undefined;
    return { id, pid: State.Pid, environment: Config.Env ?? [], labels: Config.Labels ?? {} };
  } catch (error) {
    if (error instanceof Error && "statusCode" in error && error.statusCode === 404) return undefined;
    throw error;
  }
}

/** Ends as the stream ends, also when it breaks off (node:readline leaves that error to nobody). */
async function* linesOf(stream: NodeJS.ReadableStream): AsyncGenerator<string> {
  let rest = "";
  stream.setEncoding("utf8");
  for await (const chunk of stream) {
    const lines = `${rest}${chunk}`.split("\n");
    rest = lines.pop() ?? "";
    yield* lines.filter((line) => line.trim() !== "");
  }
}

/** The container that an event, a line of JSON, is about. */
function containerOf(line: string): string | undefined {
  return containerEvent.safeParse(JSON.parse(line)).data?.Actor.ID;
}
