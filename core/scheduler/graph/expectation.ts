import type { Origin, RetrievedValue } from "../api/scheduler.js";
import type { Node } from "./node.js";

/** What the cache expects to be found in the southbound under a key: what a descriptor gets to correlate. */
export class Expectation implements RetrievedValue {
  private readonly node: Node;

  constructor(
    node: Node,
    readonly value: object,
    readonly origin: Origin,
    readonly metadata: unknown,
    readonly key: string,
  ) {
    this.node = node;
  }

  /** The node of a value that a descriptor returned just as it was given to it. */
  static nodeOf(found: RetrievedValue): Node | undefined {
    return found instanceof Expectation && !found.node.forgotten ? found.node : undefined;
  }
}

/**
 * What is expected under a key, if anything; `before` was desired there until now. The same object as long as it is the same that is
 * expected, so that a descriptor may keep it.
 */
export function expectation(node: Node, before?: object): Expectation | undefined {
  const { value, managed, metadata } = node;
  const desired = before ?? node.desired;
  const expected = desired ?? value;
  if (expected === undefined) return undefined;
  const origin = desired !== undefined || managed ? "northbound" : "southbound";
  const known = node.expectation;
  if (known?.value === expected && known.origin === origin && known.metadata === metadata) return known;
  node.expectation = new Expectation(node, expected, origin, metadata, node.key);
  return node.expectation;
}
