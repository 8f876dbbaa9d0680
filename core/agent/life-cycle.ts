import type { AgentConfig } from "../config/index.js";
import type { HealthRegistry } from "../health/index.js";
import type { Logger } from "../logging/index.js";
import type { Plugin } from "../plugin/index.js";
import { withinDeadline } from "./deadline.js";
import { PluginError, type PluginStep } from "./errors.js";

export interface NamedPlugin {
  readonly name: string;
  readonly plugin: Plugin;
}

export interface LifeCycleOptions {
  readonly config: AgentConfig;
  readonly health: HealthRegistry;
  readonly log: Logger;
  /** Called right before a plugin is closed. */
  readonly onClosing: (plugin: string) => void;
}

type TimedStep = Exclude<PluginStep, "constructor">;

const DEADLINES = {
  init: "init_timeout",
  afterInit: "after_init_timeout",
  close: "close_timeout",
} as const satisfies Record<TimedStep, keyof AgentConfig>;

/**
 * Runs the steps of the plugins of one agent, one at a time and each within its deadline: `init` and `afterInit` in flavor
 * order, `close` in reverse for those whose `init` was called.
 */
export class LifeCycle {
  private readonly options: LifeCycleOptions;
  /** Plugins that have to be closed, in the order in which they were initialised. */
  private readonly open: NamedPlugin[] = [];

  constructor(options: LifeCycleOptions) {
    this.options = options;
  }

  /** Throws `PluginError` for the first step that fails. `mayGoOn` is called before every step and throws to stop. */
  async init(plugins: readonly NamedPlugin[], mayGoOn: () => void): Promise<void> {
    for (const one of plugins) {
      mayGoOn();
      this.open.push(one);
      await this.run(one, "init");
    }
  }

  /** As {@link init}, for the plugins that it has initialised. */
  async afterInit(mayGoOn: () => void): Promise<void> {
    for (const one of [...this.open]) {
      mayGoOn();
      await this.run(one, "afterInit");
      this.options.health.started(one.name);
    }
  }

  /** Closes every open plugin, also when some fail, and returns what failed. A second call finds nothing to close. */
  async close(): Promise<readonly PluginError[]> {
    const errors: PluginError[] = [];
    for (let one = this.open.pop(); one !== undefined; one = this.open.pop()) {
      try {
        this.options.onClosing(one.name);
        await this.run(one, "close");
        this.options.health.closed(one.name);
      } catch (error) {
        if (!(error instanceof PluginError)) throw error;
        this.options.log.error(
          { err: error, plugin: one.name },
          "closing a plugin failed; the others are still closed",
        );
        errors.push(error);
      }
    }
    return errors;
  }

  private async run({ name, plugin }: NamedPlugin, step: TimedStep): Promise<void> {
    const began = performance.now();
    try {
      await withinDeadline(Promise.resolve(plugin[step]?.()), {
        ms: this.options.config[DEADLINES[step]],
        field: `agent.${DEADLINES[step]}`,
        onLateFailure: (error) => {
          this.options.log.warn({ err: error, plugin: name, step }, "a plugin step failed after its deadline");
        },
      });
    } catch (error) {
      const failure = new PluginError(name, step, error);
      this.options.health.failed(name, failure.message);
      throw failure;
    }
    this.options.log.debug({ plugin: name, step, ms: Math.round(performance.now() - began) }, "plugin step done");
  }
}
