import type { Records } from "./records.js";

/** Told about every write that failed, with how many records wait, and about the first that succeeds again. */
export interface WriterObserver {
  failed(error: unknown, waiting: number): void;
  recovered(): void;
}

interface Waiter {
  resolve(): void;
  reject(error: unknown): void;
}

/** How long after a failed write the next attempt is made, ms. */
const RETRY_DELAY = 5000;

/**
 * Writes in order, and together what comes while a write is on its way: an fsync costs the same for one record as for a
 * hundred. What could not be written stays and goes with the next write, or by itself after a while.
 */
export class GroupWriter {
  private pending = new Map<string, unknown>();
  private inFlight: ReadonlyMap<string, unknown> = new Map();
  private waiters: Waiter[] = [];
  private running: Promise<void> | undefined;
  private attempting: Promise<boolean> | undefined;
  private retry: NodeJS.Timeout | undefined;

  constructor(
    private readonly records: Records,
    private readonly observer: WriterObserver,
  ) {}

  /** Resolves when the changes are durable. The map is the writer's own from now on. */
  write(changes: Map<string, unknown>): Promise<void> {
    if (this.pending.size === 0) this.pending = changes;
    else for (const [key, value] of changes) this.pending.set(key, value);
    return new Promise((resolve, reject) => {
      this.waiters.push({ resolve, reject });
      this.start();
    });
  }

  /** The record as it will be once everything is written. */
  async read(key: string): Promise<unknown> {
    if (this.pending.has(key)) return this.pending.get(key);
    if (this.inFlight.has(key)) return this.inFlight.get(key);
    return await this.records.read(key);
  }

  /** Resolves when the write under way has ended, well or not. */
  async settled(): Promise<void> {
    await this.attempting;
  }

  /** Waits for what is on its way and makes a last attempt at what could not be written. Never rejects. */
  async close(): Promise<void> {
    clearTimeout(this.retry);
    if (this.pending.size > 0) this.start();
    await this.running;
    clearTimeout(this.retry);
  }

  private start(): void {
    this.running ??= this.drain();
  }

  private async drain(): Promise<void> {
    do {
      const changes = this.pending;
      const waiters = this.waiters;
      this.pending = new Map();
      this.inFlight = changes;
      this.waiters = [];
      this.attempting = this.attempt(changes, waiters);
      if (!(await this.attempting)) break;
    } while (this.waiters.length > 0);
    // In the same breath: whoever comes next has to start again.
    this.running = undefined;
  }

  private async attempt(changes: Map<string, unknown>, waiters: readonly Waiter[]): Promise<boolean> {
    try {
      await this.records.write(changes);
    } catch (error) {
      this.pending = new Map([...changes, ...this.pending]);
      this.inFlight = new Map();
      const late = this.waiters;
      this.waiters = [];
      for (const waiter of [...waiters, ...late]) waiter.reject(error);
      this.scheduleRetry();
      this.observer.failed(error, this.pending.size);
      return false;
    }
    this.inFlight = new Map();
    if (this.retry !== undefined) {
      clearTimeout(this.retry);
      this.retry = undefined;
      this.observer.recovered();
    }
    for (const waiter of waiters) waiter.resolve();
    return true;
  }

  private scheduleRetry(): void {
    clearTimeout(this.retry);
    this.retry = setTimeout(() => this.start(), RETRY_DELAY).unref();
  }
}
