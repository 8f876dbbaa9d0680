/** Pseudo-random numbers that are the same for the same seed (mulberry32). */
export class Random {
  constructor(private state: number) {}

  /** From 0 to below `limit`. */
  below(limit: number): number {
    this.state = (this.state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(this.state ^ (this.state >>> 15), 1 | this.state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) % Math.max(1, limit);
  }

  of<T>(items: readonly T[]): T {
    return items[this.below(items.length)]!;
  }
}

/** Numbers at which lengths and counts go wrong. */
const EDGES = [0, 1, 2, 3, 4, 7, 8, 15, 16, 0x7f, 0x80, 0xff];
const LONGEST = 4096;

type Mutation = (bytes: Buffer, random: Random, others: readonly Uint8Array[], words: readonly string[]) => Buffer;

function spliced(bytes: Buffer, at: number, removed: number, added: Uint8Array): Buffer {
  return Buffer.concat([bytes.subarray(0, at), added, bytes.subarray(at + removed)]);
}

const MUTATIONS: readonly Mutation[] = [
  (bytes, random) => {
    const copy = Buffer.from(bytes);
    if (copy.length > 0) copy[random.below(copy.length)]! ^= 1 << random.below(8);
    return copy;
  },
  (bytes, random) => {
    const copy = Buffer.from(bytes);
    if (copy.length > 0) copy[random.below(copy.length)] = random.of(EDGES);
    return copy;
  },
  (bytes, random) => {
    const copy = Buffer.from(bytes);
    if (copy.length > 1) copy.writeUInt16LE(random.below(0x10000), random.below(copy.length - 1));
    return copy;
  },
  (bytes, random) => bytes.subarray(0, random.below(bytes.length + 1)),
  (bytes, random) => spliced(bytes, random.below(bytes.length + 1), random.below(16), Buffer.alloc(0)),
  (bytes, random) =>
    spliced(bytes, random.below(bytes.length + 1), 0, Buffer.alloc(random.below(64), random.below(256))),
  (bytes, random) => {
    const from = random.below(bytes.length + 1);
    return spliced(bytes, random.below(bytes.length + 1), 0, bytes.subarray(from, from + random.below(128)));
  },
  (bytes, random, others) => {
    const other = random.of(others);
    const from = random.below(other.length + 1);
    return spliced(
      bytes,
      random.below(bytes.length + 1),
      random.below(32),
      other.subarray(from, from + random.below(256)),
    );
  },
  (bytes, random, _others, words) =>
    spliced(
      bytes,
      random.below(bytes.length + 1),
      random.below(4),
      Buffer.from(words.length === 0 ? "" : random.of(words)),
    ),
  (bytes, random, _others, words) =>
    spliced(
      bytes,
      random.below(bytes.length + 1),
      0,
      Buffer.from((words.length === 0 ? "[" : random.of(words)).repeat(random.below(200))),
    ),
];

/** One input made of another by a few small changes. `words`: pieces that mean something to the target. */
export function mutated(
  input: Uint8Array,
  random: Random,
  others: readonly Uint8Array[],
  words: readonly string[],
): Uint8Array {
  let bytes: Buffer = Buffer.from(input);
  for (let times = 1 + random.below(4); times > 0; times--) bytes = random.of(MUTATIONS)(bytes, random, others, words);
  return bytes.subarray(0, LONGEST);
}
