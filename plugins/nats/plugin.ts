import { AgentInfo } from "#core/agent/types.js";
import { PluginHealthReporter } from "#core/health/types.js";
import { Logger } from "#core/logging/types.js";
import { ModelRegistry } from "#core/model/types.js";
import { Conditions } from "#core/northbound/conditions.js";
import { transactionLimits } from "#core/northbound/incoming.js";
import { ConfigSource, EventPublisher, RequestGroup, StateSink, TransactionEndpoint } from "#core/northbound/index.js";
import { type All, inject, injectAll, type Plugin, PluginConfig, plugin, provide } from "#core/plugin/index.js";
import { type NatsConfig, natsConfig } from "./config.js";
import { NatsConfigSource } from "./config-source.js";
import { BusConnection, type NatsConditions } from "./connection.js";
import { NatsEndpoint } from "./endpoint.js";
import { LabelOwnership } from "./label-ownership.js";
import { ReplySubjects } from "./reply-subjects.js";
import { NatsStateSink } from "./state-sink.js";

/**
 * NATS as a bus: requests as a NATS service, desired state from a key-value bucket, events on subjects and last interface
 * states in a bucket. The broker may come and go as it likes; without JetStream the buckets are missing and the rest works.
 */
@plugin({
  name: "nats",
  description: "NATS: requests, desired state from a key-value bucket, state subjects",
  config: natsConfig,
  provides: [
    provide(TransactionEndpoint, (nats: NatsPlugin) => nats.endpoint),
    provide(ConfigSource, (nats: NatsPlugin) => nats.source),
    provide(StateSink, (nats: NatsPlugin) => nats.sink),
  ],
})
export class NatsPlugin implements Plugin {
  readonly endpoint: NatsEndpoint;
  readonly source: NatsConfigSource;
  readonly sink: NatsStateSink;
  private readonly bus: BusConnection;
  private readonly ownership: LabelOwnership;

  constructor(
    @inject(PluginConfig) config: NatsConfig,
    @inject(Logger) log: Logger,
    @inject(PluginHealthReporter) health: PluginHealthReporter,
    @inject(AgentInfo) agent: AgentInfo,
    @inject(ModelRegistry) registry: ModelRegistry,
    @inject(EventPublisher) publisher: EventPublisher,
    @injectAll(RequestGroup) groups: All<RequestGroup>,
  ) {
    const conditions: NatsConditions = new Conditions(health, "connection");
    const bus = new BusConnection({ config, name: `tenuto ${agent.label}`, log, conditions });
    const replySubjects = new ReplySubjects(config.reply_prefixes, bus.inbox, log);
    const ownership = new LabelOwnership({ config, agent, bus, replySubjects, conditions, log });
    const context = { config, agent, registry, publisher, bus: ownership, replySubjects, conditions, log };
    this.bus = bus;
    this.ownership = ownership;
    this.endpoint = new NatsEndpoint({
      ...context,
      groups,
      limits: transactionLimits(agent.configuration),
    });
    this.source = new NatsConfigSource(context);
    this.sink = new NatsStateSink(context);
  }

  /** Returns at once: the agent runs whether or not the broker is there. */
  afterInit(): void {
    this.bus.start();
  }

  /** Answers what was asked, publishes what waits, and leaves the bus. */
  async close(): Promise<void> {
    await this.endpoint.close();
    await this.source.close();
    await this.sink.close();
    this.ownership.close();
    await this.bus.close();
  }
}
