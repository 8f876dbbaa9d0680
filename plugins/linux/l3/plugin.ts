import { errorMessage } from "#core/errors.js";
import { Logger } from "#core/logging/types.js";
import { ModelRegistry } from "#core/model/types.js";
import { inject, type Plugin, plugin } from "#core/plugin/index.js";
import { Scheduler } from "#core/scheduler/token.js";
import { arpModel, routeModel, ruleModel } from "#proto/index.js";
import { InterfaceIndex } from "../interfaces/index.js";
import { Namespaces } from "../namespaces/index.js";
import { Contest } from "./contest.js";
import { flushed } from "./flushed.js";
import { ValueLeases } from "./leases.js";
import { NeighbourDescriptor } from "./neighbour.js";
import { LinkLocalRouteDescriptor, RouteDescriptor } from "./route.js";
import { RouteHopDescriptor, RouteHops } from "./route-hops.js";
import { RouteRivals } from "./route-rivals.js";
import { RuleDescriptor } from "./rule.js";

/** Routes, static neighbour entries and policy rules. */
@plugin({ name: "linux-l3", description: "Linux routes, static neighbour (ARP, NDP) entries and policy rules." })
export class L3Plugin implements Plugin {
  #unwatch: (() => void) | undefined;

  constructor(
    @inject(Scheduler) private readonly scheduler: Scheduler,
    @inject(ModelRegistry) private readonly models: ModelRegistry,
    @inject(InterfaceIndex) private readonly interfaces: InterfaceIndex,
    @inject(Namespaces) private readonly namespaces: Namespaces,
    @inject(Logger) private readonly log: Logger,
  ) {}

  init(): void {
    const { scheduler, interfaces, namespaces } = this;
    const leases = new ValueLeases(namespaces);
    const contest = new Contest(scheduler);
    this.models.register(routeModel);
    this.models.register(arpModel);
    this.models.register(ruleModel);
    const rivals = new RouteRivals({ interfaces, scheduler, leases, contest });
    const hops = new RouteHops(interfaces, rivals);
    const parts = { interfaces, scheduler, namespaces, leases, contest, rivals, hops };
    scheduler.registerDescriptor(new RouteDescriptor(parts));
    scheduler.registerDescriptor(new RouteHopDescriptor(hops));
    scheduler.registerDescriptor(new LinkLocalRouteDescriptor());
    scheduler.registerDescriptor(new NeighbourDescriptor(interfaces));
    scheduler.registerDescriptor(new RuleDescriptor({ interfaces, namespaces, leases, scheduler, contest }));
    this.#unwatch = scheduler.watchTransactions((record) => {
      const keys = [...flushed(record, scheduler), ...contest.freedBy(record)];
      if (keys.length === 0) return;
      const read = scheduler.refresh(keys, "what others made room for, or cost", "repair");
      read.catch((error: unknown) =>
        this.log.debug({ error: errorMessage(error) }, "what others made room for, or cost, was not read again"),
      );
    });
  }

  close(): void {
    this.#unwatch?.();
  }
}
