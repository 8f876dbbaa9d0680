interface Queued<T> {
  readonly run: () => Promise<T>;
  readonly resolve: (result: T) => void;
  readonly reject: (error: unknown) => void;
}

/** Runs what it is given one after the other, in the order in which it was given; what is urgent comes before what waits. */
export class RequestQueue<T> {
  private readonly waiting: Queued<T>[] = [];
  private draining = false;
  private drained: Promise<void> = Promise.resolve();

  add(run: () => Promise<T>, urgent = false): Promise<T> {
    return new Promise((resolve, reject) => {
      const queued = { run, resolve, reject };
      if (urgent) this.waiting.unshift(queued);
      else this.waiting.push(queued);
      if (!this.draining) this.drained = this.drain();
    });
  }

  /** Rejects what has not begun, and waits for what has. */
  async abandon(reason: Error): Promise<void> {
    for (const { reject } of this.waiting.splice(0)) reject(reason);
    await this.drained;
  }

  private async drain(): Promise<void> {
    this.draining = true;
    for (let next = this.waiting.shift(); next !== undefined; next = this.waiting.shift()) {
      try {
        next.resolve(await next.run());
      } catch (error) {
        next.reject(error);
      }
    }
    this.draining = false;
  }
}
