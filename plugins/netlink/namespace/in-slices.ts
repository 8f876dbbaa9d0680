/** So long events keep the event loop for themselves, ms. */
const SLICE = 1;

/**
 * Handles items in order, the first at once. Messages of another thread that have piled up are handed out by Node all together,
 * before anything else: in a flood of events answers, timers and sockets would wait for the last of them. Here they get their turn.
 */
export class InSlices<T> {
  private waiting: T[] = [];
  private scheduled = false;

  constructor(private readonly handle: (item: T) => void) {}

  add(item: T): void {
    if (this.scheduled) {
      this.waiting.push(item);
      return;
    }
    this.schedule();
    this.handle(item);
  }

  clear(): void {
    this.waiting = [];
  }

  private schedule(): void {
    this.scheduled = true;
    setImmediate(this.next);
  }

  private readonly next = (): void => {
    this.scheduled = false;
    const items = this.waiting;
    if (items.length === 0) return;
    this.schedule();
    const end = performance.now() + SLICE;
    let done = 0;
    do {
      const item = items[done++];
      if (item !== undefined) this.handle(item);
    } while (done < items.length && this.waiting === items && performance.now() < end);
    if (this.waiting === items) items.splice(0, done);
  };
}
