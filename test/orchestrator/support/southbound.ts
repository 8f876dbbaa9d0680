import { InvalidInputError, SouthboundError } from "#core/errors.js";
import { ModelRegistry } from "#core/model/types.js";
import { inject, type Plugin, type PluginClass, plugin } from "#core/plugin/index.js";
import type { Dependency, InvalidField, RetrievedValue } from "#core/scheduler/api/scheduler.js";
import { Scheduler } from "#core/scheduler/api/token.js";
import { type Interface, interfaceModel } from "#proto/index.js";

export const PREFIX = interfaceModel.prefix;

/** What is southbound the agents of a test. It outlives them, as a kernel does, and can be told to fail. */
export class Southbound {
  readonly values = new Map<string, object>();
  /** Every operation that was tried: `create <name>`. */
  readonly operations: string[] = [];
  /** Names whose operations fail, with the reason. */
  readonly faults = new Map<string, string>();
  /** Operations wait for this, when it is there. */
  gate: Promise<void> | undefined;

  async run(operation: string, key: string, change: () => void): Promise<void> {
    const name = key.slice(PREFIX.length);
    this.operations.push(`${operation} ${name}`);
    await this.gate;
    const fault = this.faults.get(name);
    if (fault !== undefined) throw new SouthboundError("EINVAL", fault, { key });
    change();
  }

  names(): readonly string[] {
    return [...this.values.keys()].map((key) => key.slice(PREFIX.length)).sort();
  }
}

/** A plugin that keeps interfaces in `southbound`. An interface waits for its VRF; an MTU above 9000 is invalid. */
export function southboundPlugin(southbound: Southbound): PluginClass {
  @plugin({ name: "southbound" })
  class SouthboundPlugin implements Plugin {
    constructor(
      @inject(Scheduler) private readonly scheduler: Scheduler,
      @inject(ModelRegistry) private readonly registry: ModelRegistry,
    ) {}

    init(): void {
      this.registry.register(interfaceModel);
      this.scheduler.registerDescriptor<Interface, undefined>({
        name: "southbound-interface",
        prefix: PREFIX,
        validate: (_key, { mtu = 0 }): readonly InvalidField[] =>
          mtu > 9000 ? [{ field: "mtu", problem: `was ${mtu}, expected at most 9000` }] : [],
        dependencies: (_key, { vrf_master_interface: vrf }): readonly Dependency[] =>
          vrf === undefined ? [] : [{ label: `vrf ${vrf}`, key: PREFIX + vrf }],
        async create(key, value) {
          await southbound.run("create", key, () => southbound.values.set(key, value));
          return undefined;
        },
        async update(key, _old, value) {
          await southbound.run("update", key, () => southbound.values.set(key, value));
          return undefined;
        },
        async delete(key) {
          await southbound.run("delete", key, () => southbound.values.delete(key));
        },
        async retrieve(): Promise<readonly RetrievedValue<Interface, undefined>[]> {
          return [...southbound.values].map(([key, value]) => ({
            key,
            value,
            origin: "northbound",
            metadata: undefined,
          }));
        },
        isRetriableFailure: (error) => !(error instanceof InvalidInputError),
      });
    }
  }
  return SouthboundPlugin;
}
