// A plugin as a third party writes it, in plain JavaScript: no build step, and decorators are functions that are called after
// the class. In TypeScript it would be `@plugin({ … }) export class EventLogPlugin`.

import { once } from "node:events";
import { createWriteStream } from "node:fs";
import { inject, Logger, PluginConfig, plugin, StateSink } from "tenuto";
import { z } from "zod";

const eventLogConfig = z.strictObject({
  path: z.string().min(1).describe("The file that events are appended to."),
  kinds: z.array(z.string()).default([]).describe("Only these kinds of event (interface, value …); all when empty."),
});

/** Provides a `StateSink`: the agent hands it every event, as it does to the sinks of NATS and Kafka. */
class EventLogPlugin {
  name = "event-log";
  #config;
  #log;
  #file;

  constructor(config, log) {
    this.#config = config;
    this.#log = log;
  }

  init() {
    this.#file = createWriteStream(this.#config.path, { flags: "a" });
    this.#file.on("error", (error) => this.#log.error({ err: error }, "cannot write the event log"));
    this.#log.info({ path: this.#config.path }, "writing events");
  }

  /** Must neither block nor throw. */
  publish(envelope) {
    const { kinds } = this.#config;
    if (kinds.length > 0 && !kinds.includes(envelope.event.kind)) return;
    this.#file.write(`${JSON.stringify(envelope)}\n`);
  }

  async close() {
    if (this.#file === undefined || this.#file.destroyed) return;
    this.#file.end();
    await once(this.#file, "close");
  }
}

inject(PluginConfig)(EventLogPlugin, undefined, 0);
inject(Logger)(EventLogPlugin, undefined, 1);
plugin({
  name: "event-log",
  description: "writes every event to a file",
  config: eventLogConfig,
  provides: [StateSink],
})(EventLogPlugin);

export { EventLogPlugin as plugin };
