/** Runs work one piece after the other, in the order it came. */
export class SerialQueue {
  private last: Promise<void> = Promise.resolve();

  /** Settles as `work` does. */
  run<T>(work: () => Promise<T>): Promise<T> {
    const result = this.last.then(work);
    // Not the result itself: it may be as large as a hundred thousand values.
    this.last = result.then(nothing, nothing);
    return result;
  }

  /** Resolves when everything handed in so far is done. */
  async idle(): Promise<void> {
    await this.last;
  }
}

function nothing(): void {
  return;
}
