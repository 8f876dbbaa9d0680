import { z } from "zod";
import { Logger } from "#core/logging/types.js";
import { StateSink, TransactionEndpoint } from "#core/northbound/index.js";
import { inject, type Plugin, PluginConfig, plugin, provide } from "#core/plugin/index.js";
import { InProcessBus, MemoryBus } from "./bus.js";

export const memoryConfig = z.strictObject({
  max_states: z.int().positive().default(10_000).describe("Of how many interfaces the last state is kept"),
});
export type MemoryConfig = z.infer<typeof memoryConfig>;

/** The in-process bus: `agent.get(MemoryBus)`. */
@plugin({
  name: "memory",
  description: "in-process bus for programs that embed the agent",
  config: memoryConfig,
  provides: [
    provide(MemoryBus, (memory: MemoryPlugin) => memory.bus),
    provide(TransactionEndpoint, (memory: MemoryPlugin) => memory.bus),
    provide(StateSink, (memory: MemoryPlugin) => memory.bus),
  ],
})
export class MemoryPlugin implements Plugin {
  readonly bus: InProcessBus;

  constructor(@inject(PluginConfig) config: MemoryConfig, @inject(Logger) log: Logger) {
    this.bus = new InProcessBus(config.max_states, log);
  }

  close(): void {
    this.bus.close();
  }
}
