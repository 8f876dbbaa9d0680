import type { AgentClient } from "#client/client.js";
import type { TransactionResult } from "#client/types.js";

/** A value that one may set, and that may come to nothing. */
export interface Candidate {
  readonly key: string;
  readonly value: object;
}

/**
 * The keys of those changes that would make the agent do something. Two values may be written differently and mean the
 * same; only the agent knows, so that it is asked for its plan. A plan is for a whole transaction: changes whose plan
 * is not empty are halved and asked about again, until those that matter stand alone. That is one question where
 * nothing matters, and no more than two for every halving on the way to one that does.
 *
 * What is refused, and what waits for something and so is never in a plan, matters too.
 */
export async function keysThatMatter(client: AgentClient, changes: readonly Candidate[]): Promise<ReadonlySet<string>> {
  if (changes.length === 0) return new Set();
  const plan = await client.commit({ dry_run: true, description: "does it differ?", changes });
  if (comesToNothing(plan)) return new Set();
  if (changes.length === 1) return new Set(changes.map(({ key }) => key));
  const half = changes.length >> 1;
  const first = await keysThatMatter(client, changes.slice(0, half));
  return new Set([...first, ...(await keysThatMatter(client, changes.slice(half)))]);
}

function comesToNothing({ outcome, operations, values, truncated }: TransactionResult): boolean {
  if (outcome !== "PLANNED" || truncated) return false;
  return operations.length === 0 && values.every(({ state }) => state === "CONFIGURED");
}
