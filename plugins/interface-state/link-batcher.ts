/** Collects links, by index, and hands them on together a while after the first. */
export class LinkBatcher {
  private readonly indexes = new Set<number>();
  private timer: NodeJS.Timeout | undefined;

  /** @param delay in milliseconds. */
  constructor(
    private readonly delay: number,
    private readonly handOn: (indexes: readonly number[]) => void,
  ) {}

  add(index: number): void {
    this.indexes.add(index);
    this.timer ??= setTimeout(() => {
      this.timer = undefined;
      const gathered = [...this.indexes];
      this.indexes.clear();
      this.handOn(gathered);
    }, this.delay);
  }

  close(): void {
    clearTimeout(this.timer);
    this.indexes.clear();
  }
}
