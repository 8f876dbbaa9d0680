import { randomUUID } from "node:crypto";
import type { ExecutionContext } from "ava";
import { Agent } from "#core/agent/index.js";
import { SouthboundError } from "#core/errors.js";
import { type Flavor, flavor } from "#core/flavor/index.js";
import { Health } from "#core/health/types.js";
import { ModelRegistry } from "#core/model/types.js";
import { EventPublisher, Northbound } from "#core/northbound/index.js";
import { inject, type Plugin, type PluginClass, plugin } from "#core/plugin/index.js";
import { Scheduler } from "#core/scheduler/api/token.js";
import { KafkaPlugin } from "#plugins/kafka/index.js";
import { OrchestratorPlugin } from "#plugins/orchestrator/index.js";
import { StorePlugin } from "#plugins/store/index.js";
import type { Interface } from "#proto/index.js";
import { INTERFACE_PREFIX } from "#proto/keys.js";
import { interfaceModel } from "#proto/models.js";
import { eventually } from "#test/support/eventually.js";

/** An MTU that the southbound of these tests refuses, as a kernel would. */
export const REFUSED_MTU = 666;

/** What the southbounds of these tests have made, for each agent's label: `create a`, `delete a`. */
const made = new Map<string, string[]>();
/** What the creations of an agent's southbound wait for. */
const held = new Map<string, Promise<void>>();

/** A southbound in memory, since these tests are about the bus: it takes every interface but one with {@link REFUSED_MTU}. */
function memorySouthbound(label: string): PluginClass {
  const operations: string[] = [];
  made.set(label, operations);

  @plugin({ name: "memory-southbound" })
  class MemorySouthbound implements Plugin {
    constructor(
      @inject(Scheduler) private readonly scheduler: Scheduler,
      @inject(ModelRegistry) private readonly models: ModelRegistry,
    ) {}

    init(): void {
      this.models.register(interfaceModel);
      const note = (operation: string, key: string): void => {
        operations.push(`${operation} ${key.slice(INTERFACE_PREFIX.length)}`);
      };
      this.scheduler.registerDescriptor<Interface, undefined>({
        name: "memory-interface",
        prefix: INTERFACE_PREFIX,
        create: async (key, value) => {
          note("create", key);
          await held.get(label);
          if (value.mtu === REFUSED_MTU) throw new SouthboundError("EINVAL", "EINVAL: mtu greater than device maximum");
        },
        update: (key) => {
          note("update", key);
          return undefined;
        },
        delete: (key) => note("delete", key),
      });
    }
  }
  return MemorySouthbound;
}

export interface BusAgent {
  readonly agent: Agent;
  readonly label: string;
  /** Every operation below so far, also of earlier agents of this label. */
  readonly operations: readonly string[];
  /** What the Kafka plugin says of its health. */
  health(): { readonly state: string; readonly reason: string };
  /** Names of the interfaces that are desired, sorted. */
  desired(): readonly string[];
  /** Lets the southbound hang until the function that it returns is called. */
  hold(): () => void;
  /** Makes the agent tell of an interface. */
  tell(name: string, oper: "UP" | "DOWN" | "DELETED"): void;
  close(): Promise<void>;
}

export interface BusAgentOptions {
  readonly label?: string;
  /** Fields of the section `kafka`. */
  readonly kafka: object;
  /** Other sections. */
  readonly configuration?: object;
  /** Changes the flavor: store, orchestrator, memory southbound, Kafka. */
  readonly flavor?: (base: Flavor) => Flavor;
}

/** Reconnects fast, so that tests of outages are short. */
const FAST = { reconnect_min: "50ms", reconnect_max: "500ms" };

/** An agent in this process with the Kafka plugin, and what that needs to be real. Closed at the end of the test. */
export async function busAgent(t: ExecutionContext, options: BusAgentOptions): Promise<BusAgent> {
  const label = options.label ?? `t-${randomUUID().slice(0, 8)}`;
  const base = flavor("kafka-test", [StorePlugin, OrchestratorPlugin, memorySouthbound(label), KafkaPlugin]);
  const agent = new Agent({
    flavor: options.flavor?.(base) ?? base,
    label,
    environment: {},
    configuration: {
      log: { level: "silent" },
      store: { enabled: false },
      ...options.configuration,
      kafka: { ...FAST, ...options.kafka },
    },
  });
  t.teardown(() => agent.close());
  await agent.start();
  return {
    agent,
    label,
    operations: made.get(label)!,
    health: () =>
      agent
        .get(Health)
        .plugins()
        .find(({ plugin: name }) => name === "kafka")!,
    desired: () =>
      agent
        .get(Northbound)
        .get()
        .map(({ key }) => key.split("/").at(-1)!)
        .toSorted(),
    hold() {
      let release = (): void => undefined;
      held.set(
        label,
        new Promise((resolve) => {
          release = resolve;
        }),
      );
      return release;
    },
    tell(name, oper) {
      const state = { name, internal_name: name, admin_status: "UP", oper_status: oper };
      const data = { type: "UPDOWN", state };
      agent.get(EventPublisher).publish({ kind: "interface", name, deleted: oper === "DELETED", data });
    },
    close: () => agent.close(),
  };
}

/** Waits until the Kafka plugin of an agent complains of nothing. */
export async function healthy(agent: BusAgent): Promise<void> {
  await eventually(
    () => {
      const { state, reason } = agent.health();
      if (state !== "ok") throw new Error(`${state}: ${reason}`);
      return true;
    },
    { what: "the agent on the bus", timeout: 180_000 },
  );
}

export function keyOf(name: string): string {
  return INTERFACE_PREFIX + name;
}

export function dummy(name: string, more: Interface = {}): { readonly key: string; readonly value: Interface } {
  return { key: keyOf(name), value: { name, type: "DUMMY", ...more } };
}
