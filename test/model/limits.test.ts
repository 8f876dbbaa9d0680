import { setImmediate } from "node:timers/promises";
import test from "ava";
import fc from "fast-check";
import type { InvalidInputError } from "#core/errors.js";
import { idOf } from "#core/northbound/incoming.js";
import type { Transaction } from "#core/northbound/index.js";
import { contractRegistry } from "./registries.js";

const TRANSACTION = "tenuto.v1.Transaction";
const registry = contractRegistry();

function routes(count: number, extra: object = {}): Transaction {
  const changes = Array.from({ length: count }, (_, number) => {
    const network = `10.${(number >> 16) & 255}.${(number >> 8) & 255}.${number & 255}/32`;
    const value = { outgoing_interface: "veth1", dst_network: network, gw_addr: "192.0.2.1", ...extra };
    return { key: `config/linux/l3/v2/route/${network}/veth1`, value };
  });
  return { id: "large", description: 'Größe \u{1f30d}, "[{,', changes };
}

function json(value: unknown): Buffer {
  return Buffer.from(JSON.stringify(value));
}

async function refusal(payload: Uint8Array, contentType?: string): Promise<InvalidInputError> {
  return await new Promise((resolve, reject) => {
    registry
      .decodeInSlices(TRANSACTION, payload, { contentType, maxEntries: 1_000_000 })
      .then(() => reject(new Error("it was accepted")), resolve);
  });
}

for (const encoding of ["json", "protobuf"] as const) {
  test(`${encoding}: what is decoded in slices is what is decoded at once`, async (t) => {
    const payload = registry.encodeMessage(TRANSACTION, routes(1_000), encoding);
    t.deepEqual(await registry.decodeInSlices(TRANSACTION, payload), registry.decodeMessage(TRANSACTION, payload));
  });

  test(`${encoding}: others run while a large transaction is decoded`, async (t) => {
    const payload = registry.encodeMessage(TRANSACTION, routes(50_000), encoding);
    let turns = 0;
    let isDone = false;
    const decoded = registry.decodeInSlices<Transaction>(TRANSACTION, payload).finally(() => {
      isDone = true;
    });
    while (!isDone) {
      await setImmediate();
      turns++;
    }
    t.is((await decoded).changes.length, 50_000);
    t.true(turns > 2, `${turns} turns`);
  });

  test(`${encoding}: an error in a large transaction names its change`, async (t) => {
    const transaction = routes(1_000);
    const changes = transaction.changes.map((change, at) => (at === 900 ? { ...change, delete: "yes" } : change));
    const bad =
      encoding === "json"
        ? json({ ...transaction, changes })
        : Buffer.concat([
            registry.encodeMessage(TRANSACTION, transaction, "protobuf"),
            Buffer.from([0x3a, 2, 0x50, 1]),
          ]);
    const error = await refusal(bad);
    t.regex(error.message, encoding === "json" ? /changes\[900\]/ : /changes\[1000\]/);
  });
}

test("protobuf: of a field that is there twice the last one counts, whatever lists are in between", async (t) => {
  const first = registry.encodeMessage(TRANSACTION, { ...routes(800), id: "one", atomic: true }, "protobuf");
  const last = registry.encodeMessage(TRANSACTION, { ...routes(800), id: "two" }, "protobuf");
  const decoded = await registry.decodeInSlices<Transaction>(TRANSACTION, Buffer.concat([first, last]));
  t.like(decoded, { id: "two", atomic: true });
  t.is(decoded.changes.length, 1_600);
});

const blank = fc.constantFrom("", " ", "\n\t");
const broken = fc.constantFrom(",,", ",]", "[,", "{}{}", ",", "]", "}", '"', "\\", "nul", "1 2", "[[", "\u{feff}");

test("json: in slices the same texts are JSON as at once", async (t) => {
  const entry = JSON.stringify({ key: "k".repeat(1_000), delete: true });
  await fc.assert(
    fc.asyncProperty(fc.nat(200), broken, blank, fc.boolean(), async (place, piece, space, isBroken) => {
      const entries = Array.from({ length: 200 }, (_, at) => (isBroken && at === place ? piece : entry));
      const text = `{"changes":[${entries.join(`,${space}`)}]}`;
      const sliced = await registry.decodeInSlices<Transaction>(TRANSACTION, Buffer.from(text)).catch(() => "refused");
      let whole: unknown = "refused";
      try {
        whole = registry.decodeMessage(TRANSACTION, Buffer.from(text));
      } catch {
        // It stays refused.
      }
      t.deepEqual(sliced, whole);
    }),
    { numRuns: 30 },
  );
});

const MANY = 2_100_000;
const DEEP = 100_000;

/** Nested `Any`s, each in the value of a change of the next. */
function nestedAny(depth: number): Uint8Array {
  let inner: Uint8Array = Buffer.alloc(0);
  for (let level = 0; level < depth; level++) {
    const url = Buffer.from(`x/${TRANSACTION}`);
    const any = Buffer.concat([field(1, url), field(2, inner)]);
    inner = field(7, field(2, any));
  }
  return inner;
}

function field(number: number, content: Uint8Array): Buffer {
  const length: number[] = [];
  for (let rest = content.length; ; rest >>>= 7) {
    length.push(rest > 0x7f ? (rest & 0x7f) | 0x80 : rest);
    if (rest <= 0x7f) break;
  }
  return Buffer.concat([Buffer.from([(number << 3) | 2, ...length]), content]);
}

const bombs: readonly (readonly [title: string, payload: () => Uint8Array, code: string, contentType?: string])[] = [
  ["changes of two bytes", () => Buffer.from(`{"changes":[${"{},".repeat(MANY)}{}]}`), "TOO_LARGE"],
  ["lists in a list", () => Buffer.from(`{"changes":[{"value":[${"[],".repeat(MANY)}[]]}]}`), "TOO_LARGE"],
  ["more changes than are allowed", () => Buffer.from(`{"changes":[${"1,".repeat(1_000_000)}1]}`), "TOO_LARGE"],
  ["depth in JSON", () => Buffer.from("[".repeat(DEEP)), "TOO_DEEP", "application/json"],
  [
    "depth in the value of a change",
    () => Buffer.from(`{"changes":[{"key":"a","value":${'{"a":'.repeat(DEEP)}1${"}".repeat(DEEP)}}]}`),
    "TOO_DEEP",
  ],
  ["changes of two bytes in protobuf", () => Buffer.alloc(2 * MANY, Buffer.from([0x3a, 0])), "TOO_LARGE"],
  [
    "empty texts in one protobuf value",
    () =>
      field(
        7,
        Buffer.concat([
          field(1, Buffer.from("k")),
          field(
            2,
            Buffer.concat([
              field(1, Buffer.from("x/tenuto.v1.Transaction")),
              field(2, Buffer.alloc(2 * MANY, Buffer.from([0x3a, 0]))),
            ]),
          ),
        ]),
      ),
    "TOO_LARGE",
  ],
  ["groups in groups", () => Buffer.alloc(DEEP, 0x0b), "INVALID_PROTOBUF", "application/x-protobuf"],
  [
    "a length beyond the end",
    () => Buffer.from([0x3a, 0xff, 0xff, 0xff, 0xff, 0x07]),
    "INVALID_PROTOBUF",
    "application/x-protobuf",
  ],
  ["messages in messages", () => nestedAny(200), "TOO_DEEP", "application/x-protobuf"],
  [
    "depth in JSON in protobuf",
    () => {
      const text = field(1, Buffer.from(`${"[".repeat(DEEP)}`));
      const any = Buffer.concat([field(1, Buffer.from("x/tenuto.v1.JsonValue")), field(2, text)]);
      return field(7, Buffer.concat([field(2, any)]));
    },
    "TOO_DEEP",
  ],
];

for (const [title, payload, code, contentType] of bombs) {
  test(`a payload with ${title} is bad input, found before anything is built`, async (t) => {
    const bytes = payload();
    const before = process.memoryUsage().heapUsed;
    const error = await refusal(bytes, contentType);
    t.is(error.code, code, error.message);
    t.is(error.kind, "invalid-input");
    t.true(process.memoryUsage().heapUsed - before < 64 * 1024 * 1024);
  });
}

test("a key of unreasonable length is refused without repeating it", (t) => {
  const key = `config/linux/interfaces/v2/interface/${"x".repeat(100_000)}`;
  const error = t.throws<InvalidInputError>(() => registry.decode(key, { name: "x" }));
  t.is(error?.code, "KEY_TOO_LONG");
  t.true((error?.message.length ?? 0) < 200);
});

test("the id of a transaction that cannot be decoded is found without decoding it", (t) => {
  t.is(idOf(Buffer.from('{"changes": [{"id": "no"}], "id" : "yes", broken')), "yes");
  t.is(idOf(Buffer.from('{"id": "a\\"\\u0062"')), 'a"b');
  t.is(idOf(Buffer.from('{"id": 7, "changes": "id"}')), "");
  t.is(idOf(Buffer.from(`{"id":"${"x".repeat(300)}"}`)), "");
  t.is(idOf(Buffer.from('["id", "x"]')), "");
  t.is(idOf(Buffer.from('{"id": "cut')), "");
  t.is(idOf(Buffer.alloc(100_000, "[")), "");
});
