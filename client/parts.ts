import type { Transaction, TransactionResult } from "./types.js";

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

/** So many parts of a transaction are on their way at once: the agent need not wait for the next one. */
export const PARTS_AT_ONCE = 4;

/** Sends one message; `part` is its place among them, `<k>/<n>`, if it is not the only one. */
export type SendMessage = (data: Uint8Array, part: string | undefined) => Promise<TransactionResult>;

/**
 * Sends all messages of a transaction, the last one when all others have arrived. Resolves with the answer to the whole;
 * `undefined` when the agent asks for more. Rejects as `send` does.
 */
export async function sendMessages(
  messages: readonly Uint8Array[],
  atOnce: number,
  send: SendMessage,
): Promise<TransactionResult | undefined> {
  const last = messages.length - 1;
  let answer: TransactionResult | undefined;
  const sendAt = async (index: number): Promise<void> => {
    const part = messages.length === 1 ? undefined : `${index + 1}/${messages.length}`;
    const result = await send(messages[index] ?? new Uint8Array(), part);
    if (result.outcome !== "PART") answer ??= result;
  };
  let next = 0;
  const sendNext = async (): Promise<void> => {
    while (next < last && answer === undefined) {
      await sendAt(next++).catch((error: unknown) => {
        next = last;
        throw error;
      });
    }
  };
  await Promise.all(Array.from({ length: atOnce }, sendNext));
  if (answer === undefined) await sendAt(last);
  return answer;
}
