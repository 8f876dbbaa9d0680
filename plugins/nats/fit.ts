import { hasLongList, jsonPieces } from "#core/json-pieces.js";
import { Slices } from "#core/slices.js";

/** So many items tell about how long one is. */
const SAMPLE = 200;
/** Of a message that is aimed at: not all items are of one length. */
const FILLED = 0.9;

/**
 * Splits a list into pieces whose messages have at most `limit` bytes. One item that is larger by itself stays alone in
 * its piece. An empty list is one empty piece. A long list is encoded in slices, and but once.
 */
export async function splitToFit<T>(
  items: readonly T[],
  limit: number,
  encode: (items: readonly T[]) => Uint8Array,
): Promise<readonly Uint8Array[]> {
  const slices = new Slices();
  const messages: Uint8Array[] = [];
  const add = async (some: readonly T[]): Promise<void> => {
    if (messages.length > 0 && slices.isOver) await slices.next();
    const message = encode(some);
    if (message.length <= limit || some.length <= 1) {
      messages.push(message);
      return;
    }
    const middle = Math.ceil(some.length / 2);
    await add(some.slice(0, middle));
    await add(some.slice(middle));
  };
  const size = likelySize(items, limit, encode);
  for (let from = 0; from === 0 || from < items.length; from += size) await add(items.slice(from, from + size));
  return messages;
}

/** How many items a message has room for, as far as the first ones tell. */
function likelySize<T>(items: readonly T[], limit: number, encode: (items: readonly T[]) => Uint8Array): number {
  // A record of a large transaction may fill a message by itself.
  if (items.slice(0, SAMPLE).some(hasLongList)) return 1;
  if (items.length <= SAMPLE) return SAMPLE;
  const { length } = encode(items.slice(0, SAMPLE));
  return Math.max(1, Math.floor((FILLED * limit * SAMPLE) / length));
}

/** Is the JSON of one of the items longer than that? Those with long lists are looked at, in slices and no further than to the limit. */
export async function hasTooLong(items: readonly unknown[], limit: number): Promise<boolean> {
  const slices = new Slices();
  for (const item of items) {
    if (slices.isDue) await slices.next();
    if (!hasLongList(item)) continue;
    let length = 0;
    for (const piece of jsonPieces(item)) {
      length += piece.length;
      if (length > limit) return true;
      if (slices.isOver) await slices.next();
    }
  }
  return false;
}
