/** The names of the contract on Kafka, for the agent and for its clients. */

/** Topics, with `<label>` where the agent's label stands. */
export const TOPICS = {
  config: "tenuto.<label>.config",
  commands: "tenuto.<label>.commands",
  results: "tenuto.results",
  interfaceState: "tenuto.state.interface",
  events: "tenuto.events",
  deadLetter: "tenuto.deadletter",
} as const;

/** Headers of a command, and of its result. */
export const HEADERS = {
  contentType: "content-type",
  /** `2/5`, of a transaction that travels in parts. */
  part: "tenuto-part",
  /** The topic that a command's result goes to, instead of the one for all. */
  replyTopic: "reply-topic",
  /** Whatever a command has here its result has too; the transaction's id when it has nothing. */
  correlationId: "correlation-id",
  /** Which agent a result is from. */
  label: "tenuto-label",
} as const;

/** Headers of a dead letter. */
export const DEAD_LETTER_HEADERS = {
  error: "error",
  topic: "origin-topic",
  partition: "origin-partition",
  offset: "origin-offset",
  /** The message's own key, if it had one: that of the dead letter is the agent's label. */
  key: "origin-key",
} as const;

/** Keys of the topic of the desired state that are no values. */
export const RESERVED_KEYS = "tenuto/";
/** The agent's: how far it has read, as proof that the topic is the one that it read. */
export const EPOCH_RECORD = "tenuto/epoch";
/** The orchestrator's word that the topic has every value: JSON `{"values": 17}`, the number that it has. */
export const COMPLETE_MARKER = "tenuto/complete";

/** A topic's name for an agent. */
export function topicFor(topic: string, label: string): string {
  return topic.replaceAll("<label>", label);
}

/** Key of an interface's notifications. */
export function interfaceStateKey(label: string, name: string): string {
  return `${label}/${name}`;
}
