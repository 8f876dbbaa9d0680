/** Lets one loop sleep until there is something to do. */
export class Wake {
  #wake: (() => void) | undefined;

  up(): void {
    this.#wake?.();
  }

  /** Resolves when `ready` says so, asked now and after every `up()`, or when `signal` aborts. */
  async wait(signal: AbortSignal, ready: () => boolean): Promise<void> {
    if (ready() || signal.aborted) return;
    await new Promise<void>((resolve) => {
      const end = (): void => {
        signal.removeEventListener("abort", end);
        this.#wake = undefined;
        resolve();
      };
      this.#wake = () => {
        if (ready()) end();
      };
      signal.addEventListener("abort", end);
    });
  }
}
