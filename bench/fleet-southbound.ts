import { ModelRegistry } from "#core/model/types.js";
import { EventPublisher } from "#core/northbound/index.js";
import { inject, type Plugin, plugin } from "#core/plugin/index.js";
import type { Descriptor } from "#core/scheduler/api/scheduler.js";
import { Scheduler } from "#core/scheduler/api/token.js";
import { INTERFACE_PREFIX, type Interface, interfaceModel } from "#proto/index.js";

/** Interfaces that exist in memory only, and tell of themselves like real ones. */
@plugin({ name: "memory-interfaces" })
export class MemoryInterfaces implements Plugin, Descriptor<Interface, undefined> {
  readonly name = "memory-interface";
  readonly prefix = INTERFACE_PREFIX;
  private readonly interfaces = new Map<string, Interface>();

  constructor(
    @inject(Scheduler) private readonly scheduler: Scheduler,
    @inject(ModelRegistry) private readonly models: ModelRegistry,
    @inject(EventPublisher) private readonly events: EventPublisher,
  ) {}

  init(): void {
    this.models.register(interfaceModel);
    this.scheduler.registerDescriptor(this);
  }

  async create(key: string, value: Interface): Promise<undefined> {
    this.put(key, value);
  }

  async update(key: string, _before: Interface, value: Interface): Promise<undefined> {
    this.put(key, value);
  }

  async delete(key: string): Promise<void> {
    this.interfaces.delete(key);
  }

  async retrieve() {
    return Array.from(this.interfaces, ([key, value]) => ({ key, value, origin: "northbound" as const }));
  }

  private put(key: string, value: Interface): void {
    this.interfaces.set(key, value);
    const name = value.name ?? "";
    const state = { name, internal_name: name, admin_status: "UP", oper_status: "UP", mtu: value.mtu ?? 1500 };
    this.events.publish({ kind: "interface", name, deleted: false, data: { type: "UPDOWN", state } });
  }
}
