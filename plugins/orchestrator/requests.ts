import { randomUUID } from "node:crypto";
import { InvalidInputError } from "#core/errors.js";
import type { Logger } from "#core/logging/types.js";
import type { ModelRegistry } from "#core/model/types.js";
import { MAX_ID_LENGTH } from "#core/northbound/incoming.js";
import type { Transaction, TransactionResult } from "#core/northbound/index.js";
import { SerialQueue } from "#core/northbound/serial-queue.js";
import type { TransactionRecord } from "#core/scheduler/api/scheduler.js";
import { turnBetween } from "#core/slices.js";
import type { Store, StoreUpdate } from "#plugins/store/index.js";
import type { Committed, Committer } from "./committer.js";
import { type Changes, type DesiredState, REQUEST_SOURCE } from "./desired-state.js";
import type { ItemKeys, ShortKeys } from "./item-keys.js";
import { PendingConfirmations, type Unconfirmed } from "./pending-confirmations.js";
import { invalidIn, invalidReason, outcomeOf, rejection, resultOf, summary } from "./results.js";
import { type Refusal, refusalOf, type ValidTransaction, validateTransaction } from "./validation.js";

export interface RequestsParts {
  readonly committer: Committer;
  readonly desired: DesiredState;
  readonly keys: ItemKeys;
  readonly registry: ModelRegistry;
  readonly store: Store;
  readonly log: Logger;
  /** Of one transaction. */
  readonly maxChanges: number;
  /** Called after a transaction that said: these are all the values there are. */
  readonly replaced: () => void;
}

/** Transactions that somebody sent and waits for the answer to. */
export class Requests {
  /** Answers on their way, by transaction id. */
  private readonly running = new Map<string, Promise<TransactionResult>>();
  private readonly confirmations = new PendingConfirmations();
  /** A large transaction takes its time to be checked; those behind it must not overtake it. */
  private readonly intake = new SerialQueue();

  constructor(private readonly parts: RequestsParts) {}

  /**
   * Answers a transaction. One whose id was answered before, or is being answered, gets that answer and does nothing. A
   * dry run is nothing that could be repeated: it neither gets nor leaves an answer.
   */
  async commit(transaction: Transaction, endpoint: string): Promise<TransactionResult> {
    const id = isUsable(transaction.id) ? transaction.id : randomUUID();
    if (transaction.dry_run === true) return await this.execute(id, transaction, endpoint);
    const running = this.running.get(id);
    if (running !== undefined) return await running;
    const answer = this.answer(id, transaction, endpoint).finally(() => this.running.delete(id));
    this.running.set(id, answer);
    return await answer;
  }

  async answered(id: string): Promise<TransactionResult | undefined> {
    return isUsable(id) ? await (this.running.get(id) ?? this.parts.store.result(id)) : undefined;
  }

  /** Makes a waiting transaction last. Throws `InvalidInputError` when it cannot be confirmed. */
  async confirm(id: string): Promise<TransactionResult> {
    const confirmed = await this.parts.committer.exclusively(async () => {
      const waiting = this.confirmations.take(id);
      if (waiting === undefined) return undefined;
      if (waiting.replaces) this.parts.replaced();
      return { conclusion: this.accept(waiting, waiting.result) };
    });
    return confirmed === undefined ? await this.decidedBefore(id, "confirm") : await confirmed.conclusion;
  }

  /** Reverts a waiting transaction. Throws `InvalidInputError` when it does not wait. */
  async cancel(id: string): Promise<TransactionResult> {
    return (await this.revert(id, "cancelled")) ?? (await this.decidedBefore(id, "cancel"));
  }

  /** Answers for what waited for confirmation when the agent ended: it was not stored, so it is gone. */
  async resumeUnconfirmed(): Promise<void> {
    for (const id of this.parts.store.unconfirmed()) {
      const result = await this.parts.store.result(id);
      if (result === undefined) continue;
      // What it had done is gone with the agent that did it.
      const reverted = {
        ...result,
        values: [],
        operations: [],
        outcome: "REVERTED",
        error: "the agent was restarted before it was confirmed",
      } as const;
      await this.parts.committer.conclude(reverted, { result: reverted });
    }
  }

  /** Does a transaction wait to be confirmed? */
  get isAnyWaiting(): boolean {
    return !this.confirmations.isEmpty;
  }

  close(): void {
    this.confirmations.close();
  }

  private async answer(id: string, transaction: Transaction, endpoint: string): Promise<TransactionResult> {
    return (await this.parts.store.result(id)) ?? (await this.execute(id, transaction, endpoint));
  }

  private async execute(id: string, transaction: Transaction, endpoint: string): Promise<TransactionResult> {
    const validation = await this.intake.run(() =>
      validateTransaction(transaction, this.parts.registry, this.parts.maxChanges),
    );
    if (!validation.valid) return await this.reject(id, transaction, validation.refusals);
    const valid = validation.transaction;
    const { conclusion } = await this.parts.committer.exclusively(async () => {
      const meant = this.meant(valid);
      if ("refusal" in meant) return { conclusion: this.reject(id, transaction, [meant.refusal]) };
      await turnBetween(meant.changes.size);
      const changes = valid.replace ? this.replacing(meant.changes) : meant.changes;
      const held = this.heldBack(changes);
      if (held.length > 0) return { conclusion: this.reject(id, transaction, held) };
      const committed = await this.parts.committer.commit({
        id,
        source: REQUEST_SOURCE.source,
        from: endpoint,
        description: valid.description === "" ? `${endpoint} ${id}` : valid.description,
        changes,
        said: meant.changes,
        options: { atomic: valid.atomic, simulate: valid.dryRun, rejectInvalid: true },
        unconfirmed: valid.confirmTimeout !== undefined,
      });
      const result = await this.result(id, valid, committed.record);
      // Not awaited in here: the next transaction can begin while this one is being written to disk.
      return { conclusion: this.conclude(id, valid, committed, result) };
    });
    return await conclusion;
  }

  private async result(
    id: string,
    transaction: ValidTransaction,
    record: TransactionRecord,
  ): Promise<TransactionResult> {
    const { dryRun, shortKeys } = transaction;
    const invalid = invalidIn(record);
    await turnBetween(record.values.length);
    if (invalid.length > 0) {
      const error = summary(invalid.map(invalidReason));
      return { ...this.explained(resultOf(id, "REJECTED", record, error), shortKeys), seq: 0, operations: [] };
    }
    const result = resultOf(id, dryRun ? "PLANNED" : outcomeOf(record), record);
    await turnBetween(record.values.length);
    return this.explained(result, shortKeys);
  }

  private async conclude(
    id: string,
    transaction: ValidTransaction,
    { applied: changes, undo, yielded, displaced }: Committed,
    result: TransactionResult,
  ): Promise<TransactionResult> {
    if (transaction.dryRun) return result;
    if (result.outcome === "REJECTED" || result.outcome === "REVERTED")
      return await this.parts.committer.conclude(result, { result });
    const before = this.parts.keys.of(changes.keys());
    const notes = this.parts.keys.noteKeys(changes, ofOneValue(transaction));
    if (transaction.confirmTimeout === undefined) {
      if (transaction.replace) this.parts.replaced();
      return await this.accept({ changes, yielded, notes }, result);
    }
    const forgetKeys = (): void => {
      this.parts.keys.noteKeys(undo, before);
    };
    const { replace: replaces } = transaction;
    const waiting = { id, changes, undo, yielded, displaced, result, replaces, notes, forgetKeys };
    this.awaitConfirmation(waiting, transaction.confirmTimeout);
    const unconfirmed = { ...result, outcome: "UNCONFIRMED" } as const;
    return await this.parts.committer.conclude(unconfirmed, { result: unconfirmed });
  }

  /** What was changed counts from now on, also after a restart. */
  private accept(
    { changes, yielded, notes }: Pick<Unconfirmed, "changes" | "yielded" | "notes">,
    result: TransactionResult,
  ): Promise<TransactionResult> {
    const values = { source: REQUEST_SOURCE.source, changes };
    const givenUp = this.parts.desired.giveUp(yielded);
    return this.parts.committer.conclude(result, {
      values,
      result,
      others: givenUp.others,
      notes: new Map([...givenUp.notes, ...notes]),
    });
  }

  private async reject(id: string, transaction: Transaction, refusals: readonly Refusal[]): Promise<TransactionResult> {
    const rejected = rejection(id, refusals);
    return transaction.dry_run === true
      ? rejected
      : await this.parts.committer.conclude(rejected, { result: rejected });
  }

  /** The changes that are meant, whatever keys they came under. */
  private meant({ changes, shortKeys }: ValidTransaction): { changes: Changes } | { refusal: Refusal } {
    try {
      return { changes: this.parts.keys.meant(changes, shortKeys) };
    } catch (error) {
      if (!(error instanceof InvalidInputError)) throw error;
      return { refusal: refusalOf(error, {}) };
    }
  }

  /**
   * `REPLACE`: what is not mentioned is deleted, be it there or be it that a transaction which waits for its confirmation deleted it:
   * it could come back.
   */
  private replacing(changes: Changes): Changes {
    const all = new Map(changes);
    for (const keys of [this.parts.desired.of(REQUEST_SOURCE.source).keys(), this.confirmations.keys()]) {
      for (const key of keys) if (!all.has(key)) all.set(key, undefined);
    }
    return all;
  }

  private heldBack(changes: Changes): readonly Refusal[] {
    const refusals: Refusal[] = [];
    for (const key of changes.keys()) {
      const holder = this.confirmations.holderOf(key);
      if (holder !== undefined) {
        refusals.push({
          key,
          field: "",
          message: `${key}: transaction ${holder} changed it and waits to be confirmed or cancelled`,
        });
      }
    }
    return refusals;
  }

  /** Says which values came under another key than theirs, and which are not this request's to decide. */
  private explained(result: TransactionResult, shortKeys: ShortKeys): TransactionResult {
    const isRivalled = this.parts.desired.hasOtherSource(REQUEST_SOURCE.source);
    if (!isRivalled && shortKeys.size === 0) return result;
    const values = result.values.map((status) => {
      const details = [...status.details];
      const shortKey = shortKeys.get(status.key);
      if (shortKey !== undefined) details.push(`came under ${shortKey}`);
      const desired = isRivalled ? this.parts.desired.get(status.key) : undefined;
      if (desired !== undefined && desired.source !== REQUEST_SOURCE.source)
        details.push(`set by source ${desired.source}`);
      return details.length === status.details.length ? status : { ...status, details };
    });
    return { ...result, values };
  }

  private awaitConfirmation(transaction: Unconfirmed, timeout: number): void {
    this.confirmations.add(transaction, timeout, () => {
      this.revert(transaction.id, `not confirmed within ${timeout} ms`).catch((error: unknown) => {
        this.parts.log.error(
          { err: error, transaction: transaction.id },
          "an unconfirmed transaction could not be reverted",
        );
      });
    });
  }

  private async revert(id: string, reason: string): Promise<TransactionResult | undefined> {
    const reverted = await this.parts.committer.exclusively(async () => {
      const waiting = this.confirmations.take(id);
      if (waiting === undefined) return undefined;
      const description = `revert of ${id}: ${reason}`;
      this.parts.desired.keep(waiting.yielded);
      const { record } = await this.parts.committer.commit({
        id,
        source: REQUEST_SOURCE.source,
        from: "orchestrator",
        description,
        changes: new Map([...waiting.undo, ...waiting.displaced]),
        said: NOTHING,
      });
      waiting.forgetKeys();
      const result = resultOf(id, "REVERTED", record, record.error === "" ? reason : `${reason}; ${record.error}`);
      return { conclusion: this.parts.committer.conclude(result, { result, ...this.restored(waiting.displaced) }) };
    });
    return await reverted?.conclusion;
  }

  /** What had been found in the southbound and belonged to nobody is there again, as an orphan of the requests. */
  private restored(changes: ReadonlyMap<string, object>): StoreUpdate {
    const mark = {
      reason: "a transaction that was not confirmed had taken its place",
      since: new Date().toISOString(),
    };
    const notes = this.parts.desired.markOrphans(REQUEST_SOURCE.source, changes.keys(), mark);
    return { values: { source: REQUEST_SOURCE.source, changes }, notes };
  }

  private async decidedBefore(id: string, request: "confirm" | "cancel"): Promise<TransactionResult> {
    if (id === "")
      throw new InvalidInputError("MISSING_FIELD", `id: is missing, expected that of a transaction to ${request}`, {
        field: "id",
      });
    const result = await this.parts.store.result(id);
    if (result === undefined)
      throw new InvalidInputError("UNKNOWN_TRANSACTION", `cannot ${request} ${id}: no such transaction`);
    const isDone =
      request === "confirm"
        ? result.outcome === "APPLIED" || result.outcome === "PARTIAL"
        : result.outcome === "REVERTED";
    if (isDone) return result;
    throw new InvalidInputError(
      "NOT_WAITING",
      `cannot ${request} ${id}: it does not wait, it is ${result.outcome} ${result.error}`.trim(),
    );
  }
}

const NOTHING: Changes = new Map();

/** The short keys that one value came under. A key that several came under tells none of them. */
function ofOneValue({ changes, shortKeys }: ValidTransaction): ShortKeys {
  const counts = new Map<string, number>();
  for (const short of shortKeys.values()) counts.set(short, counts.has(short) || changes.has(short) ? 2 : 1);
  return new Map([...shortKeys].filter(([, short]) => counts.get(short) === 1));
}

function isUsable(id: unknown): id is string {
  return typeof id === "string" && id !== "" && id.length <= MAX_ID_LENGTH;
}
