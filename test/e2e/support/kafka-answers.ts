import { json, type TopicView } from "#test/kafka/support/bus.js";
import { eventually } from "#test/support/eventually.js";
import type { Result } from "./bus.js";

/** The results on a topic by transaction id; a topic may have many. */
export class KafkaAnswers {
  private readonly view: TopicView;
  private readonly byId = new Map<string, Result[]>();
  private read = 0;

  constructor(view: TopicView) {
    this.view = view;
  }

  /** The first result of a transaction, once it is there. */
  to(id: string, timeout: number): Promise<Result> {
    return eventually(() => this.all(id)[0], { what: `the result of ${id}`, timeout });
  }

  /** Every result of a transaction that has come so far. */
  all(id: string): readonly Result[] {
    this.catchUp();
    return this.byId.get(id) ?? [];
  }

  /** The first results of transactions whose ids begin so. */
  startingWith(beginning: string): readonly Result[] {
    this.catchUp();
    return [...this.byId].flatMap(([id, [first]]) => (first !== undefined && id.startsWith(beginning) ? [first] : []));
  }

  private catchUp(): void {
    const { messages } = this.view;
    for (; this.read < messages.length; this.read += 1) {
      const message = messages[this.read];
      const of = message?.key?.toString() ?? "";
      const known = this.byId.get(of) ?? [];
      this.byId.set(of, known);
      known.push(json(message) as Result);
    }
  }
}
