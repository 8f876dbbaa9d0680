import { randomUUID } from "node:crypto";
import type { Logger } from "#core/logging/types.js";
import type { GateChanges, GateContext, TransactionResult } from "#core/northbound/index.js";
import type { Applied } from "./applied.js";
import { differences, type InterfaceConfiguration, interfaceConfigurations } from "./configuration.js";
import type { Hook } from "./hooks/hook.js";
import { type HookOccasion, HookRun } from "./hooks/run.js";
import type { Work } from "./machine.js";
import type { WorkOutcome, Works } from "./managed-interface.js";

export interface InterfaceWorksOptions {
  readonly hostName: string;
  readonly label: string;
  readonly context: GateContext;
  readonly applied: Applied;
  /** Does the value under a key, as it is desired now, belong to somebody else? */
  readonly isForeign: (key: string) => boolean;
  readonly hooks: () => readonly Hook[];
  /** Aborts when the agent ends: hook programs are stopped then. */
  readonly closing: AbortSignal;
  /** Writes down what is about to be handed over. Resolves when it is on disk. */
  readonly remember: (configuration: InterfaceConfiguration) => Promise<void>;
  readonly log: Logger;
}

const HOOK_EVENTS = {
  apply: { before: "BEFORE_APPLY", after: "AFTER_APPLY" },
  remove: { before: "BEFORE_UNAPPLY", after: "AFTER_UNAPPLY" },
} as const;

/** Applies and removes the configuration of one interface: hooks, the scheduler's transaction, hooks. */
export class InterfaceWorks implements Works<InterfaceConfiguration> {
  constructor(private readonly options: InterfaceWorksOptions) {}

  apply(candidate: InterfaceConfiguration): Promise<WorkOutcome<InterfaceConfiguration>> {
    return this.work("apply", candidate);
  }

  remove(): Promise<WorkOutcome<InterfaceConfiguration>> {
    return this.work("remove", interfaceConfigurations.empty);
  }

  private async work(action: Work, target: InterfaceConfiguration): Promise<WorkOutcome<InterfaceConfiguration>> {
    const { hostName, label, applied, log } = this.options;
    const running = applied.of(hostName);
    if (target.size === 0 && running.size === 0) return { running, error: "" };
    const transaction = `ifmgr-${hostName}-${randomUUID()}`;
    const occasion: HookOccasion = { hostName, label, action, candidate: target, running, transaction };
    const hooks = new HookRun(occasion, this.options.hooks(), log, this.options.closing);
    try {
      const refusal = await hooks.run(HOOK_EVENTS[action].before);
      if (refusal !== undefined) return { running: applied.of(hostName), error: refusal };
      const { error } = await this.hand(action, target, transaction);
      const complaint = await hooks.run(HOOK_EVENTS[action].after);
      return {
        running: applied.of(hostName),
        error: [error, complaint ?? ""].filter((text) => text !== "").join("; "),
      };
    } finally {
      await hooks.end();
    }
  }

  /** The scheduler's transaction. What fails in it is the scheduler's to try again. */
  private async hand(action: Work, target: InterfaceConfiguration, id: string): Promise<TransactionResult> {
    const { hostName, context, remember } = this.options;
    await remember(target);
    const description = action === "apply" ? `ifmgr: configuration of ${hostName}` : `ifmgr: ${hostName} was unplugged`;
    return await context.apply({ id, description, changes: () => this.take(target) });
  }

  /** From now on the target is what is applied. A key that was given to somebody else meanwhile is left alone. */
  private take(target: InterfaceConfiguration): GateChanges {
    const { hostName, applied, isForeign } = this.options;
    const changes = differences(applied.of(hostName), target);
    applied.set(hostName, target);
    const foreign = new Set([...changes.keys()].filter(isForeign));
    if (foreign.size === 0) return changes;
    applied.release(foreign);
    return new Map([...changes].filter(([key]) => !foreign.has(key)));
  }
}
