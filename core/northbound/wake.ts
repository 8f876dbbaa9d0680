/** Lets one loop sleep until there is something to do. Waking it up is on the way of every event, and costs next to nothing. */
export class Wake {
  private wake: (() => void) | undefined;
  /** Whose end wakes the loop up. One listener for all its waits. */
  private signal: AbortSignal | undefined;

  up(): void {
    this.wake?.();
  }

  /** Resolves when `ready` says so, asked now and after every `up()`, or when `signal` aborts. */
  async wait(signal: AbortSignal, ready: () => boolean): Promise<void> {
    if (ready() || signal.aborted) return;
    if (this.signal !== signal) {
      this.signal = signal;
      signal.addEventListener("abort", () => this.up(), { once: true });
    }
    await new Promise<void>((resolve) => {
      this.wake = () => {
        if (!ready() && !signal.aborted) return;
        this.wake = undefined;
        resolve();
      };
    });
  }
}
