/**
 * Splits a list into pieces whose messages have at most `limit` bytes. One item that is larger by itself stays alone in
 * its piece. An empty list is one empty piece.
 */
export function splitToFit<T>(
  items: readonly T[],
  limit: number,
  encode: (items: readonly T[]) => Uint8Array,
): readonly Uint8Array[] {
  const message = encode(items);
  if (message.length <= limit || items.length <= 1) return [message];
  const pieces = Math.min(items.length, Math.ceil(message.length / limit) + 1);
  const size = Math.ceil(items.length / pieces);
  return Array.from({ length: Math.ceil(items.length / size) }, (_, index) =>
    splitToFit(items.slice(index * size, (index + 1) * size), limit, encode),
  ).flat();
}
