import type { KafkaMessage } from "kafkajs";

/** Somebody's word that the topic has every value. */
export interface TopicCompleteMarker {
  readonly partition: number;
  readonly offset: bigint;
  /** How many there are, if it says so. */
  readonly values: number | undefined;
}

export function markerOf(message: KafkaMessage, partition: number): TopicCompleteMarker {
  return { partition, offset: BigInt(message.offset), values: valuesIn(message.value) };
}

function valuesIn(value: Buffer | null): number | undefined {
  try {
    const said: unknown = JSON.parse(value?.toString() ?? "null");
    const values = typeof said === "object" && said !== null && "values" in said ? said.values : undefined;
    return typeof values === "number" ? values : undefined;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}
