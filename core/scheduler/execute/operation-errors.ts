import { BugError, SouthboundError } from "../../errors.js";
import type { Operation } from "../plan/operations.js";

/** A value that others could not be taken off; removing it all the same would pull the ground from under them. */
export class StillNeeded extends SouthboundError {
  constructor(key: string, user: string) {
    super("STILL_NEEDED", `${key} cannot be removed: ${user} depends on it and could not be removed`, { key });
  }
}

/** A descriptor took too long. What it does in the end is read back when it answers. */
export class TooLate extends BugError {
  constructor({ node, kind }: Operation, operationTimeout: number) {
    super("OPERATION_TIMEOUT", `${kind} of ${node.key} did not answer within ${operationTimeout} ms`, {
      key: node.key,
    });
  }
}

/** A descriptor that was asked about many values answered about fewer. */
export class NoAnswer extends BugError {
  constructor({ node, kind }: Operation) {
    super("OPERATION_WITHOUT_RESULT", `${kind} of ${node.key}, with others: there is no result for it`, {
      key: node.key,
    });
  }
}

/** A descriptor is not called for a key while it may still be at work on it. */
export class Unanswered extends BugError {
  constructor({ node }: Operation) {
    super("OPERATION_UNANSWERED", `an earlier operation on ${node.key} has not answered yet`, { key: node.key });
  }
}
