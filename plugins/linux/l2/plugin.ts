import { errorMessage } from "#core/errors.js";
import { Logger } from "#core/logging/types.js";
import { ModelRegistry } from "#core/model/types.js";
import { inject, type Plugin, plugin } from "#core/plugin/index.js";
import type { TransactionRecord } from "#core/scheduler/api/scheduler.js";
import { Scheduler } from "#core/scheduler/api/token.js";
import { forwardingModel, forwardingPrefix, INTERFACE_PREFIX } from "#proto/index.js";
import { Contest } from "../contest.js";
import { INTERFACE_PORT_PREFIX, INTERFACE_VLANS_PREFIX, InterfaceIndex } from "../interfaces/index.js";
import { ForwardingDescriptor } from "./forwarding.js";

/** Static forwarding entries of bridges and VXLANs. */
@plugin({ name: "linux-l2", description: "Static forwarding entries of Linux bridges and VXLANs." })
export class L2Plugin implements Plugin {
  private unwatch: (() => void) | undefined;

  constructor(
    @inject(Scheduler) private readonly scheduler: Scheduler,
    @inject(ModelRegistry) private readonly models: ModelRegistry,
    @inject(InterfaceIndex) private readonly interfaces: InterfaceIndex,
    @inject(Logger) private readonly log: Logger,
  ) {}

  init(): void {
    const { scheduler, interfaces } = this;
    const contest = new Contest(scheduler);
    this.models.register(forwardingModel);
    scheduler.registerDescriptor(new ForwardingDescriptor({ interfaces, scheduler, contest }));
    this.unwatch = scheduler.watchTransactions((record) => {
      const keys = [...this.touched(record), ...contest.freedBy(record)];
      if (keys.length === 0) return;
      scheduler.refresh(keys, "what others made room for, or changed", "repair").catch((error: unknown) => {
        this.log.debug({ error: errorMessage(error) }, "forwarding entries were not read again");
      });
    });
  }

  close(): void {
    this.unwatch?.();
  }

  /**
   * Entries that the agent's own work may have cost, or not reached: a VXLAN that gets another `remote` drops the old one, and a port that gets a VLAN
   * has none of its entries there.
   */
  private touched({ executed }: Pick<TransactionRecord, "executed">): readonly string[] {
    const names = new Set<string>();
    for (const { operation, key } of executed) {
      if (operation === "UPDATE" && key.startsWith(INTERFACE_PREFIX)) names.add(key.slice(INTERFACE_PREFIX.length));
      else if (operation === "UPDATE" && key.startsWith(INTERFACE_PORT_PREFIX))
        for (const name of key.slice(INTERFACE_PORT_PREFIX.length).split("/")) names.add(name);
      else if (operation === "CREATE" && key.startsWith(INTERFACE_VLANS_PREFIX))
        names.add(key.slice(INTERFACE_VLANS_PREFIX.length, key.lastIndexOf("/")));
    }
    return [...names].flatMap((name) =>
      this.scheduler
        .statuses(forwardingPrefix(name))
        .flatMap(({ key, state }) => (state === "CONFIGURED" ? [key] : [])),
    );
  }
}
