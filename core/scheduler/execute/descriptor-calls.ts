import { InvalidInputError } from "../../errors.js";
import type { Operation } from "../plan/operations.js";
import type { Batch } from "./batcher.js";

/** Calls the descriptor. Returns its answer, or a promise of it; throws what it throws. */
export function call(operation: Operation): unknown {
  const result = answerTo(operation);
  // A promise that is not Node's own may answer twice or throw: Node's adopts it, and does neither.
  return isPromiseLike(result) ? Promise.resolve(result) : result;
}

function answerTo({ kind, node, value }: Operation): unknown {
  const { descriptor, key } = node;
  if (kind === "CREATE") return descriptor?.create?.(key, value);
  if (kind === "DELETE") return descriptor?.delete?.(key, value, node.metadata);
  return node.value === undefined ? undefined : descriptor?.update?.(key, node.value, value, node.metadata);
}

/** Calls the descriptor. Whatever it does wrong is a rejection, or a result that is missing. */
export async function callMany(
  { kind, descriptor }: Batch,
  operations: readonly Operation[],
): Promise<readonly (PromiseSettledResult<unknown> | undefined)[]> {
  if (kind === "CREATE")
    return (await descriptor.createMany?.(operations.map(({ node, value }) => ({ key: node.key, value })))) ?? [];
  const existing = operations.map(({ node, value }) => ({ key: node.key, value, metadata: node.metadata }));
  return (await descriptor.deleteMany?.(existing)) ?? [];
}

function isPromiseLike(value: unknown): value is PromiseLike<unknown> {
  return typeof value === "object" && value !== null && "then" in value && typeof value.then === "function";
}

export function isRetriable({ node }: Operation, error: unknown): boolean {
  if (error instanceof InvalidInputError) return false;
  return node.descriptor?.isRetriableFailure?.(error) ?? true;
}
