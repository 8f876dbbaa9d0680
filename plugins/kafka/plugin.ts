import { AgentInfo } from "#core/agent/types.js";
import { PluginHealthReporter } from "#core/health/types.js";
import { Logger } from "#core/logging/types.js";
import { ModelRegistry } from "#core/model/types.js";
import { Conditions } from "#core/northbound/conditions.js";
import { transactionLimits } from "#core/northbound/incoming.js";
import { ConfigSource, EventPublisher, StateSink, TransactionEndpoint } from "#core/northbound/index.js";
import { inject, type Plugin, PluginConfig, plugin, provide } from "#core/plugin/index.js";
import { topicFor } from "#proto/kafka.js";
import { type KafkaConfig, kafkaConfig } from "./config.js";
import { KafkaConfigSource } from "./config-source.js";
import { KafkaClient } from "./connection/client.js";
import type { KafkaPart } from "./connection/context.js";
import { BusProducer } from "./connection/producer.js";
import { type TopicSpec, Topics } from "./connection/topics.js";
import { Origins } from "./dead-letters.js";
import { KafkaEndpoint } from "./endpoint.js";
import { KafkaStateSink } from "./state-sink.js";

/** The topics that the agent writes to. */
function sharedTopics({ topics }: KafkaConfig, label: string): readonly TopicSpec[] {
  const spec = (topic: string, policy: TopicSpec["policy"]): TopicSpec => {
    return { topic: topicFor(topic, label), policy, shared: true };
  };
  return [
    spec(topics.results, "delete"),
    spec(topics.interface_state, "compact"),
    spec(topics.events, "delete"),
    spec(topics.dead_letter, "delete"),
  ];
}

/**
 * Kafka as a bus: transactions from a command topic, desired state from a compacted one, results, interface states and
 * events to topics that all agents share. The brokers may come and go as they like.
 */
@plugin({
  name: "kafka",
  description: "Kafka: command and result topics, desired state from a compacted topic, state topics",
  config: kafkaConfig,
  provides: [
    provide(TransactionEndpoint, (kafka: KafkaPlugin) => kafka.endpoint),
    provide(ConfigSource, (kafka: KafkaPlugin) => kafka.source),
    provide(StateSink, (kafka: KafkaPlugin) => kafka.sink),
  ],
})
export class KafkaPlugin implements Plugin {
  readonly endpoint: KafkaEndpoint;
  readonly source: KafkaConfigSource;
  readonly sink: KafkaStateSink;
  private readonly config: KafkaConfig;
  private readonly conditions: Conditions<KafkaPart>;
  private readonly producer: BusProducer;

  constructor(
    @inject(PluginConfig) config: KafkaConfig,
    @inject(Logger) log: Logger,
    @inject(PluginHealthReporter) health: PluginHealthReporter,
    @inject(AgentInfo) agent: AgentInfo,
    @inject(ModelRegistry) registry: ModelRegistry,
    @inject(EventPublisher) publisher: EventPublisher,
  ) {
    const conditions = new Conditions<KafkaPart>(health);
    const client = new KafkaClient(config, agent.label, log);
    const bus = { config, client, conditions, log, topics: new Topics({ config, conditions, log }) };
    const producer = new BusProducer(bus, sharedTopics(config, agent.label));
    const context = { ...bus, agent, registry, publisher, producer, origins: new Origins() };
    this.config = config;
    this.conditions = conditions;
    this.producer = producer;
    this.sink = new KafkaStateSink(context);
    this.source = new KafkaConfigSource(context);
    this.endpoint = new KafkaEndpoint({
      ...context,
      limits: transactionLimits(agent.configuration),
      returned: () => this.sink.returned(),
    });
  }

  /** Returns at once: the agent runs whether or not there is a broker. */
  afterInit(): void {
    if (this.config.brokers === "") {
      this.conditions.impaired(
        "brokers",
        "no Kafka brokers were given: set kafka.brokers or start with --kafka BROKERS",
      );
      return;
    }
    this.sink.start();
  }

  /** Answers what is under way, publishes what waits, and leaves the bus. */
  async close(): Promise<void> {
    await Promise.all([this.endpoint.close(), this.source.close()]);
    await this.sink.close();
    await this.producer.close();
  }
}
