import type { Store } from "#plugins/store/index.js";

const PREFIX = "interface-state/";

/**
 * Names of the interfaces that subscribers were told of, in the agent's store: a restarted agent can tell that one has gone in the
 * meantime. What is learned in one turn of the event loop is written together.
 */
export class PublishedNames {
  private readonly store: Store | undefined;
  private readonly names = new Set<string>();
  private unwritten = new Map<string, true | undefined>();
  private soon: NodeJS.Immediate | undefined;

  /** @param onTrouble is told when the names cannot be written. */
  constructor(
    store: Store | undefined,
    private readonly onTrouble: (error: unknown) => void,
  ) {
    this.store = store;
  }

  /** Those of an earlier run. To be called once the store is open. */
  load(): readonly string[] {
    for (const note of this.store?.notes().keys() ?? []) {
      if (note.startsWith(PREFIX)) this.names.add(note.slice(PREFIX.length));
    }
    return [...this.names];
  }

  told(name: string): void {
    if (this.names.has(name)) return;
    this.names.add(name);
    this.write(name, true);
  }

  gone(name: string): void {
    if (this.names.delete(name)) this.write(name, undefined);
  }

  /** Resolves when everything is written, or cannot be. */
  async close(): Promise<void> {
    clearImmediate(this.soon);
    await this.flush();
  }

  private write(name: string, note: true | undefined): void {
    if (this.store === undefined) return;
    this.unwritten.set(PREFIX + name, note);
    this.soon ??= setImmediate(() => void this.flush());
  }

  private async flush(): Promise<void> {
    this.soon = undefined;
    const notes = this.unwritten;
    this.unwritten = new Map();
    if (notes.size > 0) await this.store?.write({ notes }).catch(this.onTrouble);
  }
}
