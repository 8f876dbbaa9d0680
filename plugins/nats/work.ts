/** Nanoseconds, in which the NATS service API counts time, of a millisecond. */
const NS = 1_000_000;

/**
 * What became of the requests of one endpoint, for its `data` in the service's statistics: the library's own figures end when a
 * request has been handed over, and know nothing of its answer.
 */
export class Work {
  private inWork = 0;
  private answered = 0;
  private errors = 0;
  private time = 0;
  private refused = 0;

  /** A request has come. Call what it returns when the answer is known. */
  begin(): (failed: boolean) => void {
    const since = performance.now();
    this.inWork += 1;
    return (failed) => {
      this.inWork -= 1;
      this.answered += 1;
      if (failed) this.errors += 1;
      this.time += performance.now() - since;
    };
  }

  /** A request was not looked at because of its reply subject. */
  refuse(): void {
    this.refused += 1;
  }

  /** Names are those of the service API where it has one. */
  get statistics(): Readonly<Record<string, number>> {
    const processing = Math.round(this.time * NS);
    return {
      in_work: this.inWork,
      num_errors: this.errors,
      refused_replies: this.refused,
      processing_time: processing,
      average_processing_time: this.answered === 0 ? 0 : Math.round(processing / this.answered),
    };
  }
}
