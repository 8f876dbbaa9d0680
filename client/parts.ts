import type { Transaction } from "./types.js";

const utf8 = new TextEncoder();

/**
 * The transaction as messages of at most `limit` bytes: one, or several with some of the changes each. A single change that
 * is larger by itself stays alone in its message, for the bus to refuse.
 */
export function transactionMessages(transaction: Transaction, limit: number): readonly Uint8Array[] {
  const { changes, ...options } = transaction;
  const head = JSON.stringify(options).slice(0, -1);
  const begin = `${head === "{" ? head : `${head},`}"changes":[`;
  const end = "]}";
  const room = limit - utf8.encode(begin + end).length;

  const messages: Uint8Array[] = [];
  let some: string[] = [];
  let bytes = 0;
  for (const change of changes) {
    const text = JSON.stringify(change);
    const size = Buffer.byteLength(text) + 1;
    if (some.length > 0 && bytes + size > room) {
      messages.push(utf8.encode(begin + some.join(",") + end));
      some = [];
      bytes = 0;
    }
    some.push(text);
    bytes += size;
  }
  messages.push(utf8.encode(begin + some.join(",") + end));
  return messages;
}
