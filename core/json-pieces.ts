/** A list with more elements is put into words in pieces. */
const LONG = 64;
/** Of a piece; characters. */
const PIECE = 64 * 1024;
/** Lists in lists that are looked into. */
const DEPTH = 3;

/**
 * JSON of a value, in pieces that are each made in no time, however long the lists in it are. Makes what `JSON.stringify` makes, and
 * each piece when it is asked for.
 */
export function* jsonPieces(value: unknown): Generator<string> {
  let piece = "";
  for (const text of texts(value, DEPTH)) {
    piece += text;
    if (piece.length < PIECE) continue;
    yield piece;
    piece = "";
  }
  if (piece !== "") yield piece;
}

/** Is there a list in it that is better put into words in pieces? */
export function hasLongList(value: unknown): boolean {
  return isLong(value, DEPTH);
}

function* texts(value: unknown, depth: number): Generator<string> {
  if (!isLong(value, depth)) yield JSON.stringify(value) ?? "null";
  else if (Array.isArray(value)) yield* listTexts(value, depth);
  else yield* fieldTexts(Object.entries(value as object), depth);
}

function* listTexts(list: readonly unknown[], depth: number): Generator<string> {
  yield "[";
  for (let from = 0; from < list.length; from += LONG) {
    const some = list.slice(from, from + LONG);
    if (from > 0) yield ",";
    if (some.some((element) => isLong(element, depth - 1))) {
      for (const [index, element] of some.entries()) {
        if (index > 0) yield ",";
        yield* texts(element, depth - 1);
      }
    } else yield JSON.stringify(some).slice(1, -1);
  }
  yield "]";
}

function* fieldTexts(fields: readonly (readonly [string, unknown])[], depth: number): Generator<string> {
  let before = "{";
  for (const [name, field] of fields) {
    if (field === undefined || typeof field === "function" || typeof field === "symbol") continue;
    yield `${before}${JSON.stringify(name)}:`;
    yield* texts(field, depth - 1);
    before = ",";
  }
  yield before === "{" ? "{}" : "}";
}

function isLong(value: unknown, depth: number): boolean {
  if (depth === 0 || typeof value !== "object" || value === null) return false;
  if (Array.isArray(value)) return value.length > LONG || value.some((element) => isLong(element, depth - 1));
  if ("toJSON" in value) return false;
  for (const name in value) if (isLong(value[name as keyof typeof value], depth - 1)) return true;
  return false;
}
