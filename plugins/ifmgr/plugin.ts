import { AgentInfo } from "#core/agent/types.js";
import { PluginHealthReporter } from "#core/health/types.js";
import { Logger } from "#core/logging/types.js";
import { ModelRegistry } from "#core/model/types.js";
import { ConfigGate, EventPublisher, Northbound, RequestGroup } from "#core/northbound/index.js";
import { inject, injectOptional, type Plugin, PluginConfig, plugin, provide } from "#core/plugin/index.js";
import { Scheduler } from "#core/scheduler/api/token.js";
import { HostInterfaces } from "#plugins/interface-watcher/index.js";
import { Store } from "#plugins/store/index.js";
import { registrationModel } from "#proto/index.js";
import { type IfmgrConfig, ifmgrConfig } from "./config.js";
import { registrationDescriptor } from "./descriptor.js";
import { InterfaceManager } from "./interface-manager.js";
import { Notes } from "./notes.js";
import { IfmgrRequests } from "./requests.js";

/**
 * Configuration at plug time, after DANOS's ifmgrd: what is desired for a registered interface is staged, and applied when the
 * interface is plugged. See docs/ifmgr.md.
 */
@plugin({
  name: "ifmgr",
  description: "configuration at plug time: a state machine per registered interface",
  config: ifmgrConfig,
  provides: [
    provide(ConfigGate, (ifmgr: IfmgrPlugin) => ifmgr.manager.gate),
    provide(RequestGroup, (ifmgr: IfmgrPlugin) => ifmgr.requests),
  ],
})
export class IfmgrPlugin implements Plugin {
  readonly manager: InterfaceManager;
  readonly requests: IfmgrRequests;

  constructor(
    @inject(PluginConfig) config: IfmgrConfig,
    @inject(Logger) log: Logger,
    @inject(PluginHealthReporter) private readonly health: PluginHealthReporter,
    @inject(AgentInfo) { label }: AgentInfo,
    @inject(Scheduler) private readonly scheduler: Scheduler,
    @inject(ModelRegistry) private readonly models: ModelRegistry,
    @inject(EventPublisher) publisher: EventPublisher,
    @inject(Store) store: Store,
    @inject(Northbound) northbound: Northbound,
    @injectOptional(HostInterfaces) present: HostInterfaces | undefined,
  ) {
    this.manager = new InterfaceManager({
      config,
      label,
      scheduler,
      publisher,
      notes: new Notes(store),
      present,
      health,
      log,
    });
    this.requests = new IfmgrRequests(this.manager, northbound);
  }

  init(): void {
    this.models.register(registrationModel);
    this.scheduler.registerDescriptor(registrationDescriptor);
  }

  /** The orchestrator, which comes earlier, has opened the gate by now, and handed in the first resync. */
  afterInit(): void {
    this.manager.begin();
    this.health.ok();
  }

  async close(): Promise<void> {
    await this.manager.close();
  }
}
