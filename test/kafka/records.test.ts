import { closeSync, openSync } from "node:fs";
import test from "ava";
import { NotLoadedError } from "#core/lazily.js";
import { decodeRecords, MAX_BATCH_BYTES, MAX_RECORDS_AT_ONCE } from "#plugins/kafka/records/decode.js";
import { type LogRecord, unreadableReason } from "#plugins/kafka/records/log-record.js";
import { LONG_VARIABLE } from "#test/support/counts.js";
import { run } from "#test/support/sandbox.js";
import { JAVA_BATCHES } from "./support/java-batches.js";
import { BOMBS, batch, CODEC, COMPRESSORS, TRANSACTIONAL, transactionEnd } from "./support/log.js";
import { damagedLog, readWhole } from "./support/record-fuzzer.js";

const FUZZED = process.env[LONG_VARIABLE] ? 300_000 : 3_000;

async function decode(log: Buffer, from = 0n, aborted: Parameters<typeof decodeRecords>[1]["aborted"] = []) {
  return await decodeRecords(log, { from, end: 1_000_000n, aborted });
}

/** What a log says: values, `!` and the reason of what cannot be read, `-` where only the offset moves on. */
function told(records: readonly LogRecord[]): readonly string[] {
  return records.map((record) => {
    if (record.filler) return `${record.offset} -`;
    const reason = unreadableReason(record);
    return `${record.offset} ${reason === undefined ? String(record.value) : `! ${reason}`}`;
  });
}

/** Calls something that begins while this process has no file descriptor left. */
async function withoutDescriptors<T>(call: () => Promise<T>): Promise<T> {
  await run(["prlimit", "--pid", `${process.pid}`, "--nofile=256:"]);
  const taken: number[] = [];
  try {
    for (;;) taken.push(openSync("/dev/null", "r"));
  } catch {
    return call();
  } finally {
    for (const descriptor of taken) closeSync(descriptor);
  }
}

test.serial("a batch whose decompressor cannot be loaded for want of descriptors is read later", async (t) => {
  for (const codec of ["snappy", "lz4", "zstd"]) {
    const java = JAVA_BATCHES.find((each) => each.codec === codec && each.magic === (codec === "zstd" ? 2 : 1));
    const log = Buffer.from(java!.base64, "base64");
    await t.throwsAsync(
      withoutDescriptors(() => decode(log, 5n)),
      { instanceOf: NotLoadedError, message: /EMFILE/ },
    );
    t.is((await decode(log, 5n)).length, 3, codec);
  }
});

const three = [{ value: "a" }, { value: "b" }, { value: "c" }];

for (const { magic, codec, base64 } of JAVA_BATCHES) {
  test(`records of the Java client compressed with ${codec} in format ${magic} are read`, async (t) => {
    const records = await decode(Buffer.from(base64, "base64"), 5n);
    t.deepEqual(
      records.map(({ offset, key, value }) => [offset, key?.toString(), value?.subarray(0, 6).toString()]),
      [
        ["5", "k0", "0the s"],
        ["6", undefined, "1the s"],
        ["7", "k2", undefined],
      ],
    );
    t.is(records[0]?.value?.length, 1 + 31 * 40);
    if (magic === 0) return;
    t.deepEqual(
      records.map(({ timestamp }) => timestamp),
      ["1000", "1001", "1002"],
    );
    if (magic < 2) return;
    t.deepEqual(records[0]?.headers, { a: [Buffer.from("1"), Buffer.from("2")], none: Buffer.alloc(0) });
  });
}

test("nothing that one batch holds stops those behind it: it is told, and the log goes on", async (t) => {
  const bad = (bytes: Buffer, damage: (bytes: Buffer) => void): Buffer => {
    damage(bytes);
    return bytes;
  };
  const cases: Record<string, readonly [Buffer, readonly string[]]> = {
    "a wrong checksum": [
      bad(batch({ base: 10, records: three }), (bytes) => bytes.writeUInt8(9, 70)),
      ["12 ! the records 10 to 12 cannot be read: its checksum is wrong"],
    ],
    "an unknown codec": [
      batch({ base: 10, records: three, attributes: CODEC.unknown }),
      [
        "12 ! the records 10 to 12 cannot be read: it cannot be decompressed: it is compressed with codec 6, which is not known",
      ],
    ],
    "a format of the future": [
      bad(batch({ base: 10, records: three }), (bytes) => bytes.writeInt8(3, 16)),
      ["12 ! the records 10 to 12 cannot be read: its format, 3, is not known"],
    ],
    "more records than there are": [
      batch({ base: 10, records: three, count: 5, lastDelta: 4 }),
      ["10 a", "11 b", "12 c", "14 ! the records 13 to 14 cannot be read: it ends 1 bytes too early"],
    ],
    "fewer records than there are": [
      batch({ base: 10, records: three, count: 2 }),
      ["10 a", "11 b", "12 ! the record cannot be read: 8 bytes behind the last record of a batch"],
    ],
    "a negative count": [
      batch({ base: 10, records: three, count: -2 }),
      ["12 ! the records 10 to 12 cannot be read: a batch of -2 records from 10 to 12"],
    ],
    "a record that is bad by itself": [
      batch({ base: 10, records: [{ value: "a" }, { raw: Buffer.from([0, 0, 2, 99]) }, { value: "c" }] }),
      ["10 a", "11 ! the record cannot be read: a length of -50", "12 c"],
    ],
    "an offset outside of its batch": [
      batch({ base: 10, records: [{ value: "a" }, { raw: Buffer.from([0, 0, 80, 1, 1, 0]) }, { value: "c" }] }),
      ["10 a", "11 ! the record cannot be read: its offset is 50", "12 c"],
    ],
    "too many headers": [
      batch({ base: 10, records: [{ value: "a", headers: Array.from({ length: 1_001 }, () => ["h", "x"] as const) }] }),
      ["10 ! the record cannot be read: 1001 headers"],
    ],
    "only what was compacted away": [batch({ base: 10, records: [], lastDelta: 2 }), ["12 -"]],
    "an end that was compacted away": [
      batch({ base: 10, records: three, lastDelta: 7 }),
      ["10 a", "11 b", "12 c", "17 -"],
    ],
    "names and keys that are not UTF-8": [
      batch({ base: 10, records: [{ key: Buffer.from([0xff]), value: "a", headers: [[Buffer.from([0xff]), null]] }] }),
      ["10 a"],
    ],
  };
  for (const [name, [bytes, expected]] of Object.entries(cases)) {
    const [last = ""] = (expected.at(-1) ?? "").split(" ");
    const log = Buffer.concat([
      batch({ base: 9, records: [{ value: "before" }] }),
      bytes,
      batch({ base: Number(last) + 1, records: [{ value: "behind" }] }),
    ]);
    t.deepEqual(told(await decode(log)), ["9 before", ...expected, `${Number(last) + 1} behind`], name);
  }
});

test("what a broker would never send is passed by, also when it is all there is", async (t) => {
  for (const log of [
    Buffer.alloc(5),
    Buffer.alloc(100),
    Buffer.alloc(100, 0xff),
    batch({ records: three }).subarray(0, 70),
  ]) {
    const [only, ...more] = await decode(log, 7n);
    t.deepEqual(more, []);
    t.is(BigInt(only?.offset ?? -1) >= 7n, true);
    t.truthy(only && unreadableReason(only));
  }
  const before = told(await decode(batch({ base: 0, records: three }), 7n));
  t.deepEqual(before, ["7 ! the record cannot be read: its last offset is 2, and 7 was asked for"]);
});

test("what was written in a transaction that was aborted is left out, with the marks of all transactions", async (t) => {
  const log = Buffer.concat([
    batch({ base: 0, producerId: 1n, attributes: TRANSACTIONAL, records: [{ value: "aborted" }] }),
    // The key is that of a mark of an abort, in a record that is none.
    batch({
      base: 1,
      producerId: 2n,
      attributes: TRANSACTIONAL,
      records: [{ key: Buffer.alloc(4), value: "committed" }],
    }),
    batch({
      base: 2,
      producerId: 1n,
      attributes: TRANSACTIONAL,
      records: [{ key: Buffer.alloc(4), value: "aborted" }],
    }),
    batch({ base: 3, producerId: 1n, attributes: TRANSACTIONAL, records: [{ value: "aborted" }] }),
    transactionEnd(4, 1n, false),
    batch({ base: 5, producerId: 1n, attributes: TRANSACTIONAL, records: [{ value: "later" }] }),
    transactionEnd(6, 2n, true),
  ]);
  const records = await decode(log, 0n, [{ producerId: 1n, firstOffset: 0n }]);
  t.deepEqual(told(records), ["0 -", "1 committed", "2 -", "3 -", "4 -", "5 later", "6 -"]);
});

test("a bomb is not decompressed beyond the bound, by any codec", async (t) => {
  for (const [codec, bomb] of Object.entries(BOMBS)) {
    const attributes = CODEC[codec as keyof typeof BOMBS];
    const log = Buffer.concat([
      batch({ base: 0, attributes, compress: bomb, records: [{}], lastDelta: 2 }),
      batch({ base: 3, records: [{ value: "behind" }] }),
    ]);
    const memory = process.memoryUsage();
    const records = told(await decode(log));
    const after = process.memoryUsage();
    t.is(records.length, 2, codec);
    t.regex(records[0] ?? "", /^2 ! the records? .*cannot be read/, codec);
    t.is(records[1], "3 behind");
    const grown = after.heapUsed + after.external - memory.heapUsed - memory.external;
    t.true(grown < 5 * MAX_BATCH_BYTES, `${codec}: ${grown}`);
  }
});

test("a batch of very many records comes in pieces, each from where the last one ended", async (t) => {
  const many = 2 * MAX_RECORDS_AT_ONCE + 5;
  const records = Array.from({ length: many }, () => ({ value: "x" }));
  for (const compress of [undefined, COMPRESSORS.gzip]) {
    const attributes = compress === undefined ? 0 : CODEC.gzip;
    const log = batch({ records, attributes, ...(compress && { compress }) });
    let next = 0n;
    const sizes: number[] = [];
    while (next < BigInt(many)) {
      const some = await decode(log, next);
      t.is(some[0]?.offset, String(next));
      next = BigInt(some.at(-1)?.offset ?? 0) + 1n;
      sizes.push(some.length);
    }
    t.deepEqual(sizes, [MAX_RECORDS_AT_ONCE, MAX_RECORDS_AT_ONCE, 5]);
  }
});

test("however a log is damaged, its reader gets to the end, and nothing is missing that was not told", async (t) => {
  t.timeout(30 * 60_000);
  for (let seed = 1; seed <= FUZZED; seed += 1) {
    const log = damagedLog(seed);
    const { missing, reached } = await readWhole(log);
    t.deepEqual({ missing, reached }, { missing: [], reached: log.end }, `seed ${seed}: ${log.what}`);
  }
});
