import type { AgentEvent, EventEnvelope } from "#core/northbound/index.js";
import { StateSink } from "#core/northbound/index.js";
import { type PluginClass, plugin } from "#core/plugin/index.js";

type Kind = AgentEvent["kind"];

/** Keeps what an agent publishes. */
export class Recorder {
  readonly envelopes: EventEnvelope[] = [];
  /** To be part of the agent's flavor. */
  readonly plugin: PluginClass;

  constructor() {
    const { envelopes } = this;
    @plugin({ name: "recorder", provides: [StateSink] })
    class RecorderPlugin implements StateSink {
      readonly name = "recorder";

      publish(envelope: EventEnvelope): void {
        envelopes.push(envelope);
      }
    }
    this.plugin = RecorderPlugin;
  }

  /** Events of one kind, in order. */
  of<K extends Kind>(kind: K): readonly Extract<AgentEvent, { kind: K }>[] {
    return this.envelopes.flatMap(({ event }) =>
      event.kind === kind ? [event as Extract<AgentEvent, { kind: K }>] : [],
    );
  }
}
