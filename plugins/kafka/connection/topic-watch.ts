import { BusError } from "#core/errors.js";
import { identityOf, type TopicIdentity } from "./topic-facts.js";
import type { Wires } from "./wires.js";

/**
 * Looks now and then whether a topic is still the one that is read. One that was deleted and made anew under its name has no sign of
 * that in what is fetched from it: its offsets begin anew, and where they are beyond those that were read, the first ones would
 * be passed by. A leader that was elected without having everything may have other records where some were read.
 */
export class TopicWatch {
  private readonly wires: Wires;
  private readonly topic: string;
  private readonly known: TopicIdentity;
  private readonly mindsLeaders: boolean;
  private readonly changed: (reason: string) => void;
  private timer: NodeJS.Timeout | undefined;
  private looking = false;

  constructor(
    wires: Wires,
    topic: string,
    known: TopicIdentity,
    mindsLeaders: boolean,
    changed: (reason: string) => void,
  ) {
    this.wires = wires;
    this.topic = topic;
    this.known = known;
    this.mindsLeaders = mindsLeaders;
    this.changed = changed;
  }

  /** `interval`, ms. */
  start(interval: number): void {
    if (this.known.id === undefined) return;
    this.timer = setInterval(() => void this.look(), interval).unref();
  }

  stop(): void {
    clearInterval(this.timer);
  }

  private async look(): Promise<void> {
    if (this.looking) return;
    this.looking = true;
    try {
      const reason = this.difference(await identityOf(this.wires, this.topic));
      if (reason !== undefined) this.changed(reason);
    } catch (error) {
      // That a broker does not answer is noticed by what is fetched from it.
      if (!(error instanceof BusError)) throw error;
    } finally {
      this.looking = false;
    }
  }

  private difference(now: TopicIdentity | "missing"): string | undefined {
    if (now === "missing") return `topic ${this.topic} was deleted`;
    if (now.id === undefined) return undefined;
    if (now.id !== this.known.id) return `topic ${this.topic} was deleted and made anew`;
    if (!this.mindsLeaders) return undefined;
    for (const [partition, { epoch }] of now.leaders) {
      const known = this.known.leaders.get(partition);
      if (known !== undefined && epoch > known.epoch) {
        return `partition ${partition} of topic ${this.topic} has another leader: the topic is read again`;
      }
    }
    return undefined;
  }
}
