/** How long a topic that took no result is left alone, ms. */
const REFUSED_FOR = 60_000;
/** Refused topics that are remembered; names come from requesters. */
const MAX_REFUSED = 1_000;

/** Where results go: to the topic that the command names, or to the one for all when that does not take them. */
export class ReplyTopics {
  readonly #results: string;
  /** Until when, in ms since the epoch. */
  readonly #refused = new Map<string, number>();

  constructor(results: string) {
    this.#results = results;
  }

  /** Is it a topic that somebody else answers for? */
  isForeign(topic: string): boolean {
    return topic !== this.#results;
  }

  /** The topic for a result. `wanted` is empty when the command names none. */
  choose(wanted: string): string {
    if (wanted === "") return this.#results;
    return (this.#refused.get(wanted) ?? 0) > Date.now() ? this.#results : wanted;
  }

  refuse(topic: string): void {
    if (this.#refused.size >= MAX_REFUSED) this.#refused.clear();
    this.#refused.set(topic, Date.now() + REFUSED_FOR);
  }
}
