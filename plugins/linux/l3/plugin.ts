import { errorMessage } from "#core/errors.js";
import { Logger } from "#core/logging/types.js";
import { ModelRegistry } from "#core/model/types.js";
import { inject, type Plugin, plugin } from "#core/plugin/index.js";
import { Scheduler } from "#core/scheduler/api/token.js";
import { arpModel, routeModel, ruleModel } from "#proto/index.js";
import { Contest } from "../contest.js";
import { InterfaceIndex } from "../interfaces/index.js";
import { Namespaces } from "../namespaces/index.js";
import { DuplicateRoutes } from "./duplicate-routes.js";
import { flushed } from "./flushed.js";
import { ValueLeases } from "./leases.js";
import { NeighbourDescriptor } from "./neighbour.js";
import { LinkLocalRouteDescriptor, RouteDescriptor } from "./route.js";
import { RouteHopDescriptor, RouteHops } from "./route-hops.js";
import { RuleDescriptor } from "./rule.js";

/** Routes, static neighbour entries and policy rules. */
@plugin({ name: "linux-l3", description: "Linux routes, static neighbour (ARP, NDP) entries and policy rules." })
export class L3Plugin implements Plugin {
  private unwatch: (() => void) | undefined;

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
    const duplicateValues = new Contest(scheduler);
    this.models.register(routeModel);
    this.models.register(arpModel);
    this.models.register(ruleModel);
    const duplicates = new DuplicateRoutes({ interfaces, scheduler, leases, duplicateValues });
    const hops = new RouteHops(interfaces, duplicates);
    const parts = { interfaces, scheduler, namespaces, leases, duplicateValues, duplicates, hops };
    scheduler.registerDescriptor(new RouteDescriptor(parts));
    scheduler.registerDescriptor(new RouteHopDescriptor(hops));
    scheduler.registerDescriptor(new LinkLocalRouteDescriptor());
    scheduler.registerDescriptor(new NeighbourDescriptor(interfaces));
    const rules = new RuleDescriptor({ interfaces, namespaces, leases, scheduler, duplicateValues });
    scheduler.registerDescriptor(rules);
    const again = (keys: readonly string[], reason: string): void => {
      if (keys.length === 0) return;
      scheduler.refresh(keys, reason, "repair").catch((error: unknown) => {
        this.log.debug({ error: errorMessage(error), reason }, "values were not read again");
      });
    };
    const hostNames = new Map<string, string>();
    const forgetNames = interfaces.watch((name, metadata) => {
      const before = hostNames.get(name);
      if (metadata === undefined) hostNames.delete(name);
      else hostNames.set(name, metadata.hostName);
      if (before !== undefined && metadata !== undefined && metadata.hostName !== before)
        again(rules.naming(name), "an interface that rules name is called otherwise");
    });
    const unwatch = scheduler.watchTransactions((record) => {
      again([...flushed(record, scheduler), ...duplicateValues.freedBy(record)], "what others made room for, or cost");
    });
    this.unwatch = () => {
      unwatch();
      forgetNames();
    };
  }

  close(): void {
    this.unwatch?.();
  }
}
