import type { KafkaConfig } from "./config.js";

/** How long a topic that took no result is left alone, ms. */
const REFUSED_FOR = 60_000;
/** Refused topics that are remembered; names come from requesters. */
const MAX_REFUSED = 1_000;
const LABEL = "<label>";

/**
 * Where results go: to the topic that the command names, if that is one of those that are allowed, or to the one for all when it
 * does not take them. The agent writes with its own rights: the word of a requester must not decide where.
 */
export class ReplyTopics {
  private readonly results: string;
  private readonly names: ReadonlySet<string>;
  private readonly prefixes: readonly string[];
  /** What is the topic of some agent, or of all, and no place for an answer. */
  private readonly taken: readonly RegExp[];
  /** Until when, in ms since the epoch. */
  private readonly refused = new Map<string, number>();

  /** `results`: the topic for all. */
  constructor(results: string, { reply_topics, topics }: Pick<KafkaConfig, "reply_topics" | "topics">) {
    this.results = results;
    this.names = new Set([results, ...reply_topics.filter((name) => !name.endsWith("*"))]);
    this.prefixes = reply_topics.filter((name) => name.endsWith("*")).map((name) => name.slice(0, -1));
    const { config, commands, interface_state, events, dead_letter } = topics;
    this.taken = [config, commands, interface_state, events, dead_letter].map(anyLabel);
  }

  /** May a command have its result sent to this topic? */
  isAllowed(topic: string): boolean {
    if (this.names.has(topic)) return true;
    return this.prefixes.some((prefix) => topic.startsWith(prefix)) && !this.taken.some((taken) => taken.test(topic));
  }

  /** Is it a topic that somebody else answers for? */
  isForeign(topic: string): boolean {
    return topic !== this.results;
  }

  /** The topic for a result. `desired` is empty when the command names none. */
  choose(desired: string): string {
    if (desired === "" || !this.isAllowed(desired)) return this.results;
    return (this.refused.get(desired) ?? 0) > Date.now() ? this.results : desired;
  }

  refuse(topic: string): void {
    if (this.refused.size >= MAX_REFUSED) this.refused.clear();
    this.refused.set(topic, Date.now() + REFUSED_FOR);
  }
}

/** The topics of all agents that are made of this name. */
function anyLabel(name: string): RegExp {
  const parts = name.split(LABEL).map((part) => part.replaceAll(/[.\\]/g, "\\$&"));
  return new RegExp(`^${parts.join(".*")}$`);
}
