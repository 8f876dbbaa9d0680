import type { Model } from "#proto/index.js";
import type { Change, Transaction, TransactionOptions } from "./types.js";

/**
 * Collects the changes of a transaction with typed values; the key of each is made from its value:
 *
 * ```ts
 * const transaction = new Changes()
 *   .set(interfaceModel, { name: "veth1", type: "VETH", veth: { peer_if_name: "veth2" } })
 *   .delete(routeKey("10.1.0.0/16", "veth1"))
 *   .transaction({ atomic: true });
 * ```
 */
export class Changes {
  private readonly changes: Change[] = [];

  /** Throws `ModelError` when the value lacks a field that its key is made of. */
  set<V extends object>(model: Model<V>, value: V): this {
    return this.setKey(model.prefix + model.nameOf(value), value);
  }

  setKey(key: string, value: object): this {
    this.changes.push({ key, value });
    return this;
  }

  delete(key: string): this {
    this.changes.push({ key, delete: true });
    return this;
  }

  transaction(options: TransactionOptions = {}): Transaction {
    return { ...options, changes: [...this.changes] };
  }
}
