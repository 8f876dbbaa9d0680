import { Reader, Writer } from "../codec/buffer.js";
import { beginMessage, endMessage } from "../codec/message.js";
import type { Exchange } from "./exchange.js";
import type { RefusedRequest } from "./protocol.js";
import { ResultCollector } from "./result-collector.js";

/** Messages of the worker's own that leave together, numbered from 1. */
export class Bundle {
  private readonly writer = new Writer();
  /** Where each of them starts. */
  private readonly starts: number[] = [];

  add(type: number, write: (writer: Writer) => void): void {
    const { writer } = this;
    const start = beginMessage(writer, type, 0, this.starts.push(writer.length));
    write(writer);
    endMessage(writer, start);
  }

  get count(): number {
    return this.starts.length;
  }

  /** In as few sends as the socket allows. Returns what the kernel refused. */
  send(exchange: Exchange): readonly RefusedRequest[] {
    const { starts } = this;
    const answers = new ResultCollector();
    const chunk = new Reader(this.writer.take());
    const endOf = (which: number) => starts[which + 1] ?? chunk.bytes.length;
    for (let first = 0; first < starts.length; ) {
      const from = starts[first] ?? 0;
      let last = first;
      while (last + 1 < starts.length && endOf(last + 1) - from <= exchange.sendBytes) last++;
      exchange.send(chunk, from, starts[last] ?? from, endOf(last), last - first + 1, answers);
      first = last + 1;
    }
    return answers.failures;
  }
}
