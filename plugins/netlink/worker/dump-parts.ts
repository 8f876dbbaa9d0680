import { Reader, Writer } from "../codec/buffer.js";
import { NLM_F_DUMP } from "../codec/constants.js";
import { beginMessage, endMessage } from "../codec/message.js";
import type { Exchange } from "./exchange.js";
import { ResultCollector } from "./result-collector.js";

/** A dump for the worker's own use: whole netlink messages; none when the kernel refuses. */
export function dumpParts(
  exchange: Exchange,
  type: number,
  write: (writer: Writer) => void,
): readonly Uint8Array<ArrayBuffer>[] {
  const writer = new Writer();
  const start = beginMessage(writer, type, NLM_F_DUMP, 1);
  write(writer);
  endMessage(writer, start);
  const bytes = writer.take();
  const answers = new ResultCollector();
  exchange.dump(new Reader(bytes), 0, bytes.length, answers);
  return answers.failures.length > 0 ? [] : answers.replies.flatMap((reply) => reply.parts);
}
