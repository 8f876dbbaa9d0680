import type { Scheduler, TransactionRecord } from "#core/scheduler/api/scheduler.js";

/**
 * Values that the kernel cannot tell from another one of ours, which was there before. They have failed, nothing that is found in the
 * kernel is theirs, and they are tried again when the other one goes.
 */
export class Contest {
  /** By the key of the value that failed, that of the one that is there. */
  private readonly winners = new Map<string, string>();

  constructor(private readonly scheduler: Pick<Scheduler, "status">) {}

  lost(key: string, winner: string): void {
    this.winners.set(key, winner);
  }

  won(key: string): void {
    if (this.winners.size > 0) this.winners.delete(key);
  }

  get isOpen(): boolean {
    return this.winners.size > 0;
  }

  /** Is the value below that of another key? */
  isOut(key: string): boolean {
    const winner = this.winners.get(key);
    return winner !== undefined && this.scheduler.status(winner).state === "CONFIGURED";
  }

  /** Those of the values that others stood in the way of which are gone now. */
  freedBy({ executed }: Pick<TransactionRecord, "executed">): readonly string[] {
    if (this.winners.size === 0) return [];
    const gone = new Set(executed.flatMap(({ operation, key }) => (operation === "DELETE" ? [key] : [])));
    return [...this.winners].flatMap(([key, winner]) => (gone.has(winner) && !this.isOut(key) ? [key] : []));
  }
}
