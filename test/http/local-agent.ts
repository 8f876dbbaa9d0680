import { mkdtemp, rm } from "node:fs/promises";
import { type IncomingHttpHeaders, type IncomingMessage, type RequestOptions, request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buffer } from "node:stream/consumers";
import type { ExecutionContext } from "ava";
import { Agent } from "#core/agent/index.js";
import { SouthboundError } from "#core/errors.js";
import { flavor } from "#core/flavor/index.js";
import { ModelRegistry } from "#core/model/types.js";
import { EventPublisher } from "#core/northbound/index.js";
import { inject, type Plugin, plugin } from "#core/plugin/index.js";
import { Scheduler } from "#core/scheduler/api/token.js";
import { HttpPlugin } from "#plugins/http/index.js";
import { OrchestratorPlugin } from "#plugins/orchestrator/index.js";
import { StorePlugin } from "#plugins/store/index.js";
import type { Interface } from "#proto/index.js";
import { INTERFACE_PREFIX } from "#proto/keys.js";
import { interfaceModel } from "#proto/models.js";

/** An MTU that the southbound of these tests refuses, as a kernel would. */
export const REFUSED_MTU = 666;

/**
 * A southbound in memory, since these tests are about HTTP: it takes every interface but one with {@link REFUSED_MTU}. An
 * interface waits for its peer, if it names one.
 */
@plugin({ name: "memory-southbound" })
class MemorySouthbound implements Plugin {
  constructor(
    @inject(Scheduler) private readonly scheduler: Scheduler,
    @inject(ModelRegistry) private readonly models: ModelRegistry,
  ) {}

  init(): void {
    const there = new Map<string, Interface>();
    this.models.register(interfaceModel);
    this.scheduler.registerDescriptor<Interface, { readonly index: number }>({
      name: "memory-interface",
      prefix: INTERFACE_PREFIX,
      create: (key, value) => {
        if (value.mtu === REFUSED_MTU) throw new SouthboundError("EINVAL", "EINVAL: mtu greater than device maximum");
        there.set(key, value);
        return { index: 7 };
      },
      delete: (key) => void there.delete(key),
      retrieve: async () =>
        [...there].map(([key, value]) => ({ key, value, origin: "northbound", metadata: { index: 7 } }) as const),
      dependencies: (_key, { veth }) =>
        veth?.peer_if_name === undefined
          ? []
          : [{ label: `interface ${veth.peer_if_name}`, key: INTERFACE_PREFIX + veth.peer_if_name }],
    });
  }
}

export interface HttpAnswer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly bytes: Buffer;
  readonly text: string;
  /** Parsed JSON, of the shape that the test expects. */
  json<T = Readonly<Record<string, unknown>>>(): T;
}

export interface HttpRequest {
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array;
}

export interface LocalAgent {
  readonly agent: Agent;
  readonly socket: string;
  readonly ask: (method: string, path: string, options?: HttpRequest) => Promise<HttpAnswer>;
  /** Sends a JSON body. */
  readonly send: (method: string, path: string, body: object) => Promise<HttpAnswer>;
  /** Opens a path whose answer does not end. */
  readonly open: (path: string) => Promise<IncomingMessage>;
  /** Makes the agent tell of an interface. */
  readonly tell: (name: string, oper: "UP" | "DOWN" | "DELETED") => void;
}

/** An agent in this process with the HTTP plugin, and what it needs to be real. Closed at the end of the test. */
export async function localAgent(t: ExecutionContext, http: object = {}): Promise<LocalAgent> {
  const directory = await mkdtemp(join(tmpdir(), "tenuto-http-"));
  const socket = join(directory, "run", "agent.sock");
  const agent = new Agent({
    flavor: flavor("http-test", [StorePlugin, OrchestratorPlugin, MemorySouthbound, HttpPlugin]),
    label: "t1",
    environment: {},
    configuration: { log: { level: "silent" }, store: { enabled: false }, http: { socket, ...http } },
  });
  t.teardown(async () => {
    await agent.close();
    await rm(directory, { recursive: true, force: true });
  });
  await agent.start();
  const ask: LocalAgent["ask"] = (method, path, options) => exchange({ socketPath: socket, method, path }, options);
  return {
    agent,
    socket,
    ask,
    send: (method, path, body) =>
      ask(method, path, { headers: { "content-type": "application/json" }, body: JSON.stringify(body) }),
    open: (path) => openStream({ socketPath: socket, path }),
    tell(name, oper) {
      const state = { name, internal_name: name, admin_status: "UP", oper_status: oper };
      const data = { type: "UPDOWN", state };
      agent.get(EventPublisher).publish({ kind: "interface", name, deleted: oper === "DELETED", data });
    },
  };
}

/** One request and its whole answer. */
export async function exchange(target: RequestOptions, { headers = {}, body }: HttpRequest = {}): Promise<HttpAnswer> {
  const response = await openStream({ ...target, headers }, body);
  const bytes = await buffer(response);
  const text = bytes.toString("utf8");
  return {
    status: response.statusCode ?? 0,
    headers: response.headers,
    bytes,
    text,
    json: () => JSON.parse(text),
  };
}

function openStream(target: RequestOptions, body?: string | Uint8Array): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const outgoing = request({ ...target, agent: false }, resolve);
    outgoing.once("error", reject);
    outgoing.end(body);
  });
}

export const KEY = INTERFACE_PREFIX;

/** A change that sets an interface. */
export function interfaceChange(
  name: string,
  more: Interface = {},
): { readonly key: string; readonly value: Interface } {
  return { key: KEY + name, value: { name, type: "DUMMY", ...more } };
}
