import { randomUUID } from "node:crypto";
import type { ExecutionContext } from "ava";
import { type ConnectionOptions, connect, type NatsConnection } from "nats";
import { Agent } from "#core/agent/index.js";
import { SouthboundError } from "#core/errors.js";
import { flavor } from "#core/flavor/index.js";
import { Health } from "#core/health/types.js";
import { ModelRegistry } from "#core/model/types.js";
import { EventPublisher } from "#core/northbound/index.js";
import { inject, type Plugin, type PluginClass, plugin } from "#core/plugin/index.js";
import { Scheduler } from "#core/scheduler/api/token.js";
import { NatsPlugin } from "#plugins/nats/index.js";
import { OrchestratorPlugin } from "#plugins/orchestrator/index.js";
import { StorePlugin } from "#plugins/store/index.js";
import type { Interface } from "#proto/index.js";
import { INTERFACE_PREFIX } from "#proto/keys.js";
import { interfaceModel, routeModel } from "#proto/models.js";
import { type Broker, type NatsOptions, startNats } from "#test/support/brokers.js";

/** An MTU that the southbound of these tests refuses, as a kernel would. */
export const REFUSED_MTU = 666;

/**
 * A southbound in memory, since these tests are about the bus: it takes every route, and every interface but one with
 * {@link REFUSED_MTU}. An interface waits for its peer, if it names one.
 */
@plugin({ name: "memory-southbound" })
class MemorySouthbound implements Plugin {
  constructor(
    @inject(Scheduler) private readonly scheduler: Scheduler,
    @inject(ModelRegistry) private readonly models: ModelRegistry,
  ) {}

  init(): void {
    this.models.register(interfaceModel);
    this.models.register(routeModel);
    this.scheduler.registerDescriptor({
      name: "memory-route",
      prefix: routeModel.prefix,
      create: () => undefined,
      delete: () => undefined,
    });
    this.scheduler.registerDescriptor<Interface, undefined>({
      name: "memory-interface",
      prefix: INTERFACE_PREFIX,
      create: (_key, value) => {
        if (value.mtu === REFUSED_MTU) throw new SouthboundError("EINVAL", "EINVAL: mtu greater than device maximum");
      },
      delete: () => undefined,
      dependencies: (_key, { veth }) =>
        veth?.peer_if_name === undefined ? [] : [{ label: "peer", key: INTERFACE_PREFIX + veth.peer_if_name }],
    });
  }
}

export interface BusAgent {
  readonly agent: Agent;
  readonly label: string;
  /** What the NATS plugin says of its health. */
  health(): { readonly state: string; readonly reason: string };
  /** Makes the agent tell of an interface. */
  tell(name: string, oper: "UP" | "DOWN" | "DELETED"): void;
  close(): Promise<void>;
}

export interface BusAgentOptions {
  readonly label?: string;
  /** Fields of the section `nats`. */
  readonly nats: object;
  /** Other sections. */
  readonly configuration?: object;
  /** More plugins. */
  readonly plugins?: readonly PluginClass[];
}

/** For a request: the library waits a second only, which a busy machine may need for anything. */
export const PATIENT = { timeout: 60_000 };

/** Reconnects fast, so that tests of outages are short. */
const FAST = { reconnect_min: "20ms", reconnect_max: "200ms" };

/** An agent in this process with the NATS plugin, and what that needs to be real. Closed at the end of the test. */
export async function busAgent(t: ExecutionContext, options: BusAgentOptions): Promise<BusAgent> {
  const label = options.label ?? `t-${randomUUID().slice(0, 8)}`;
  const agent = new Agent({
    flavor: flavor("nats-test", [
      StorePlugin,
      OrchestratorPlugin,
      MemorySouthbound,
      ...(options.plugins ?? []),
      NatsPlugin,
    ]),
    label,
    environment: {},
    configuration: {
      log: { level: "silent" },
      store: { enabled: false },
      ...options.configuration,
      nats: { ...FAST, ...options.nats },
    },
  });
  t.teardown(() => agent.close());
  await agent.start();
  return {
    agent,
    label,
    health: () =>
      agent
        .get(Health)
        .plugins()
        .find(({ plugin: name }) => name === "nats")!,
    tell(name, oper) {
      const state = { name, internal_name: name, admin_status: "UP", oper_status: oper };
      const data = { type: "UPDOWN", state };
      agent.get(EventPublisher).publish({ kind: "interface", name, deleted: oper === "DELETED", data });
    },
    close: () => agent.close(),
  };
}

/** A broker of the test's own. */
export async function broker(t: ExecutionContext, options?: NatsOptions): Promise<Broker> {
  const server = await startNats(options);
  t.teardown(() => server.stop());
  return server;
}

/** A plain connection, as any other program on the bus has one. */
export async function bus(t: ExecutionContext, servers: string, more: ConnectionOptions = {}): Promise<NatsConnection> {
  const connection = await connect({ servers, reconnectTimeWait: 20, maxReconnectAttempts: -1, ...more });
  t.teardown(() => connection.close());
  return connection;
}

export function vethKey(name: string): string {
  return INTERFACE_PREFIX + name;
}

/** One end of a veth pair. */
export function veth(name: string, peer: string): { readonly key: string; readonly value: Interface } {
  return { key: vethKey(name), value: { name, type: "VETH", enabled: true, veth: { peer_if_name: peer } } };
}

export function dummy(name: string, more: Interface = {}): { readonly key: string; readonly value: Interface } {
  return { key: vethKey(name), value: { name, type: "DUMMY", ...more } };
}
