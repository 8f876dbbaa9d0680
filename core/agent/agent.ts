import { randomUUID } from "node:crypto";
import { hostname } from "node:os";
import {
  type AgentConfig,
  type Configuration,
  type LogConfig,
  resolveConfiguration,
  type SchedulerConfig,
} from "../config/index.js";
import { BugError, InvalidInputError, TenutoError } from "../errors.js";
import { checkOrder, type Flavor, type FlavorPlugin } from "../flavor/index.js";
import { Health, HealthRegistry, PluginHealthReporter } from "../health/index.js";
import { createLogRegistry, Logger, LogRegistry, type LogRegistryOptions } from "../logging/index.js";
import { createModelRegistry, ModelRegistry } from "../model/index.js";
import { EventPublisher, StateSink } from "../northbound/index.js";
import { FanOutPublisher } from "../northbound/publisher.js";
import { type PluginClass, PluginConfig, type Token } from "../plugin/index.js";
import { Scheduler } from "../scheduler/api/token.js";
import { withinDeadline } from "./deadline.js";
import { watchDescriptors } from "./descriptors.js";
import { AgentCloseError, PluginError } from "./errors.js";
import { LifeCycle, type NamedPlugin } from "./life-cycle.js";
import { AGENT_TOKENS, schedulerFor } from "./services.js";
import { AgentInfo } from "./types.js";
import { VERSION } from "./version.js";
import { type Service, Wiring } from "./wiring.js";

export interface AgentOptions {
  readonly flavor: Flavor;
  /** Default: `TENUTO_LABEL`, else `label` of the configuration, else the host name. */
  readonly label?: string | undefined;
  /** Sections by plugin name, as a configuration file has them. */
  readonly configuration?: Readonly<Record<string, unknown>>;
  /** What messages about the configuration call it. Default: `configuration`. */
  readonly origin?: string;
  /** `section.field=value`, stronger than the environment. */
  readonly assignments?: readonly string[];
  /** Default: the process's. */
  readonly environment?: Readonly<Record<string, string | undefined>>;
  /** Where log records go. Default: stderr. */
  readonly logStream?: LogRegistryOptions["stream"];
}

const LABEL = /^[A-Za-z0-9][A-Za-z0-9._-]*$/;

/**
 * One agent: the plugins of a flavor, wired and alive. A process can run many, each with its own container, configuration,
 * loggers and scheduler; what happens to one does not touch another.
 */
export class Agent {
  readonly label: string;
  readonly flavor: Flavor;
  readonly info: AgentInfo;
  readonly log: Logger;
  private readonly configuration: Configuration;
  private readonly logs: LogRegistry;
  private readonly health: HealthRegistry;
  private readonly lifeCycle: LifeCycle;
  private readonly wiring = new Wiring();
  private readonly scheduler: Scheduler;
  private readonly publisher: FanOutPublisher;
  private unwatch: (() => void) | undefined;
  private starting: Promise<void> | undefined;
  private closing: Promise<void> | undefined;

  /** Throws `InvalidInputError` for a flavor that cannot be wired and a configuration that is not valid. Starts nothing. */
  constructor(options: AgentOptions) {
    const { flavor, environment = process.env } = options;
    checkOrder(flavor, AGENT_TOKENS);
    this.flavor = flavor;
    this.label = labelOf(options, environment);
    this.configuration = resolveConfiguration(flavor, {
      content: options.configuration ?? {},
      origin: options.origin ?? "configuration",
      environment,
      assignments: options.assignments ?? [],
    });

    this.logs = createLogRegistry({
      ...this.section<LogConfig>("log"),
      label: this.label,
      stream: options.logStream,
    });
    this.log = this.logs.logger("agent");
    this.health = new HealthRegistry((error) =>
      this.log.error({ err: error }, "a watcher of the agent's health threw"),
    );
    this.lifeCycle = new LifeCycle({
      config: this.section<AgentConfig>("agent"),
      health: this.health,
      log: this.log,
      onClosing: (plugin) => {
        for (const sink of this.wiring.providedBy(plugin, StateSink)) this.publisher.leave(sink);
      },
    });
    this.info = this.describe();
    this.scheduler = schedulerFor(this.section<SchedulerConfig>("scheduler"), this.logs.logger("scheduler"));
    this.publisher = new FanOutPublisher({
      label: this.label,
      instance: this.info.instance,
      sinks: this.wiring.all(StateSink),
      log: this.log,
    });
  }

  /**
   * Starts every plugin. Throws `PluginError` that names plugin, step and cause; what was started is closed again by then.
   * An agent starts once.
   */
  async start(): Promise<void> {
    if (this.starting !== undefined || this.closing !== undefined) {
      throw new BugError("AGENT_STARTED_TWICE", `agent ${this.label} was started or closed before; make a new one`);
    }
    this.starting = this.startOnce();
    await this.starting;
  }

  /**
   * Closes every plugin in reverse order, each within its deadline, also when some fail; then throws `AgentCloseError`. While
   * the agent starts, it stops the start first. Any number of calls is one close.
   */
  close(): Promise<void> {
    this.closing ??= this.closeOnce();
    return this.closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /**
   * What is provided under a token, or the plugin of a class, once the agent has started. Throws `InvalidInputError` when
   * there is none, or more than one.
   */
  get<T>(requested: Token<T> | PluginClass<T & object>): T {
    return this.wiring.get(requested);
  }

  /** Everything provided under a token, in flavor order. */
  getAll<T>(token: Token<T>): readonly T[] {
    return this.wiring.all(token).get();
  }

  private async startOnce(): Promise<void> {
    const began = performance.now();
    const { version, flavor, plugins: names } = this.info;
    this.log.info({ version, flavor, plugins: names }, "starting");
    for (const warning of this.configuration.warnings) this.log.warn(warning);
    try {
      this.unwatch = watchDescriptors((problem) => this.hearOfDescriptors(problem));
      const plugins = this.construct();
      await this.lifeCycle.init(plugins, () => this.refuseWhenClosing());
      this.publisher.open();
      await this.lifeCycle.afterInit(() => this.refuseWhenClosing());
    } catch (error) {
      await this.stop();
      throw error;
    }
    this.log.info({ ms: Math.round(performance.now() - began) }, "started");
  }

  private construct(): readonly NamedPlugin[] {
    this.provideServices();
    const plugins = this.flavor.plugins.map((one) => {
      const { name } = one.definition;
      try {
        return { name, plugin: this.wiring.construct(one, this.servicesOf(one)) };
      } catch (error) {
        throw new PluginError(name, "constructor", error);
      }
    });
    this.wiring.complete();
    return plugins;
  }

  private provideServices(): void {
    const services: readonly Service[] = [
      [Scheduler, this.scheduler],
      [ModelRegistry, createModelRegistry({ label: this.label })],
      [LogRegistry, this.logs],
      [Health, this.health],
      [AgentInfo, this.info],
      [EventPublisher, this.publisher],
    ];
    for (const service of services) this.wiring.provide(service, "agent");
    this.health.watch((changed) => this.publisher.publish({ kind: "health", plugin: changed.plugin, data: changed }));
  }

  private servicesOf({ definition: { name, config } }: FlavorPlugin): readonly Service[] {
    const own: Service[] = [
      [Logger, this.logs.logger(name)],
      [PluginHealthReporter, this.health.reporter(name)],
    ];
    return config === undefined ? own : [...own, [PluginConfig, this.section(name)]];
  }

  private async closeOnce(): Promise<void> {
    // A start that is under way sees `#closing`, stops and cleans up after itself; its error is its caller's.
    await Promise.allSettled([this.starting]);
    const errors = await this.stop();
    this.log.info("closed");
    if (errors.length > 0) throw new AgentCloseError(this.label, errors);
  }

  /**
   * The scheduler goes first: it finishes what is running and takes nothing new, so that no operation meets a plugin that is
   * closed, and results still find their way out through the endpoints.
   */
  private async stop(): Promise<readonly PluginError[]> {
    this.unwatch?.();
    const errors = await this.stopScheduler();
    return [...errors, ...(await this.lifeCycle.close())];
  }

  private async stopScheduler(): Promise<readonly PluginError[]> {
    const onLateFailure = (error: unknown): void =>
      this.log.warn({ err: error }, "the scheduler failed to close after its deadline");
    try {
      const ms = this.section<AgentConfig>("agent").close_timeout;
      await withinDeadline(this.scheduler.close(), { ms, field: "agent.close_timeout", onLateFailure });
      return [];
    } catch (error) {
      this.log.error({ err: error }, "closing the scheduler failed; the plugins are still closed");
      return [new PluginError("scheduler", "close", error)];
    }
  }

  private hearOfDescriptors(problem: string | undefined): void {
    this.health.process(problem);
    if (problem === undefined) this.log.info("there are file descriptors again");
    else this.log.error(problem);
  }

  private refuseWhenClosing(): void {
    if (this.closing === undefined) return;
    throw new TenutoError("invalid-input", "AGENT_CLOSED", `agent ${this.label} was closed while it was starting`);
  }

  private section<S extends object>(name: string): S {
    const section = this.configuration.sections.get(name);
    if (section === undefined) throw new BugError("NO_SECTION", `the configuration has no section ${name}`);
    return section as S;
  }

  private describe(): AgentInfo {
    return {
      label: this.label,
      version: VERSION,
      flavor: this.flavor.name,
      plugins: this.flavor.names,
      instance: randomUUID(),
      startedAt: new Date().toISOString(),
      configuration: this.configuration.shown,
    };
  }
}

function labelOf(options: AgentOptions, environment: Readonly<Record<string, string | undefined>>): string {
  const label = options.label ?? (environment.TENUTO_LABEL || undefined) ?? options.configuration?.label ?? hostname();
  if (typeof label === "string" && LABEL.test(label)) return label;
  throw new InvalidInputError(
    "LABEL_INVALID",
    `label was ${JSON.stringify(label)}, expected letters, digits, dots, dashes and underscores`,
    { field: "label" },
  );
}
