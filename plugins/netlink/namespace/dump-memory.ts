import { align, Reader } from "../codec/buffer.js";
import { headerBytes } from "../codec/message.js";

/** What a caller makes of the objects of a dump. */
export interface MessageInterpreter<T> {
  /** Is what was made of an object the last time still good? */
  stands(meaning: T): boolean;
  /** What the object of a message means; when `undefined` it is asked for again the next time. */
  interpret(reader: Reader, start: number, end: number): T | undefined;
}

/** Whole messages, one after the other, and where each begins, both in words of 4 bytes. */
interface Messages {
  readonly words: Int32Array;
  readonly starts: Int32Array;
}

const NONE: Messages = { words: new Int32Array(), starts: new Int32Array() };
const headerWords = headerBytes / 4;
/** So many messages are interpreted before others get their turn of the event loop. */
const interpretedPerTurn = 2_000;

/**
 * The messages of a dump, and what a caller made of them. One that comes again in the next dump, byte for byte, has the same meaning
 * and is not decoded. Sequence number, port and flags in its header say nothing of the object and may differ.
 */
export class DumpMemory<T> {
  private messages = NONE;
  private meanings: readonly (T | undefined)[] = [];

  /** What the messages of a new dump mean, those left out that have no meaning. The dump is remembered instead of the one before. */
  async recall(parts: readonly Uint8Array[], interpreter: MessageInterpreter<T>): Promise<readonly T[]> {
    const before = this.messages;
    const known = this.meanings;
    const now = messagesOf(parts);
    const reader = new Reader(new Uint8Array(now.words.buffer));
    const places = new Places(before);
    const meanings: (T | undefined)[] = [];
    const found: T[] = [];
    let interpreted = 0;
    for (const start of now.starts) {
      const remembered = known[places.find(now.words, start)];
      let meaning: T | undefined = remembered !== undefined && interpreter.stands(remembered) ? remembered : undefined;
      if (meaning === undefined) {
        const end = start * 4 + (now.words[start] ?? 0);
        meaning = interpreter.interpret(reader, start * 4 + headerBytes, end);
        if (++interpreted % interpretedPerTurn === 0) await new Promise((resolve) => setImmediate(resolve));
      }
      meanings.push(meaning);
      if (meaning !== undefined) found.push(meaning);
    }
    this.messages = found.length === 0 ? NONE : now;
    this.meanings = found.length === 0 ? [] : meanings;
    return found;
  }
}

function messagesOf(parts: readonly Uint8Array[]): Messages {
  const words = new Int32Array(parts.reduce((sum, part) => sum + align(part.length), 0) / 4);
  const bytes = new Uint8Array(words.buffer);
  const starts: number[] = [];
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    const end = at + part.length;
    for (let from = at; from + headerBytes <= end; ) {
      const length = words[from / 4] ?? 0;
      if (length < headerBytes || from + length > end) break;
      starts.push(from / 4);
      from += align(length);
    }
    at += align(part.length);
  }
  return { words, starts: Int32Array.from(starts) };
}

/**
 * Finds messages among those of an earlier dump. The kernel dumps in an order of its own that changes little: what follows a message is
 * looked at first.
 */
class Places {
  private next = 0;
  /** Places by hash. Of two with the same hash it knows one; the other is not found, and decoded. */
  private index: Map<number, number> | undefined;

  constructor(private readonly messages: Messages) {}

  /** The place of the message that is equal to the one that starts there, or -1. */
  find(words: Int32Array, start: number): number {
    const { next } = this;
    const place = this.isEqual(next, words, start) ? next : this.lookUp(words, start);
    if (place >= 0) this.next = place + 1;
    return place;
  }

  private lookUp(words: Int32Array, start: number): number {
    if (this.messages.starts.length === 0) return -1;
    this.index ??= indexOf(this.messages);
    const place = this.index.get(hash(words, start)) ?? -1;
    return this.isEqual(place, words, start) ? place : -1;
  }

  private isEqual(place: number, words: Int32Array, start: number): boolean {
    const { words: others, starts } = this.messages;
    const other = starts[place];
    if (other === undefined || others[other] !== words[start] || typeAt(others, other) !== typeAt(words, start))
      return false;
    const end = endOf(words, start);
    for (let at = start + headerWords, to = other + headerWords; at < end; at++, to++)
      if (words[at] !== others[to]) return false;
    return true;
  }
}

function indexOf({ words, starts }: Messages): Map<number, number> {
  const index = new Map<number, number>();
  for (const [place, start] of starts.entries()) index.set(hash(words, start), place);
  return index;
}

/** FNV-1a by words, with the high bits folded in. */
function hash(words: Int32Array, start: number): number {
  let hash = 0x811c9dc5;
  const end = endOf(words, start);
  for (let at = start + headerWords; at < end; at++) {
    hash = Math.imul(hash ^ (words[at] ?? 0), 0x01000193);
    hash ^= hash >>> 15;
  }
  return hash;
}

/** nlmsg_type. */
function typeAt(words: Int32Array, start: number): number {
  return (words[start + 1] ?? 0) & 0xffff;
}

function endOf(words: Int32Array, start: number): number {
  return start + align(words[start] ?? 0) / 4;
}
