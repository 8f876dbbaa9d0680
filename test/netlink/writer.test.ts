import test from "ava";
import { Writer } from "#plugins/netlink/codec/buffer.js";
import * as generic from "#plugins/netlink/namespace/generic.js";
import type { RequestKind } from "#plugins/netlink/namespace/operations.js";
import * as operations from "#plugins/netlink/namespace/operations.js";
import { messages } from "./messages.js";

/** What a message is from its start on, after so many bytes of others, in a buffer that has room for `netlink` of it. */
function written(encode: (writer: Writer) => void, netlink: number): Uint8Array {
  const writer = new Writer(4096);
  const before = 4096 - netlink;
  writer.reserve(before);
  encode(writer);
  return writer.take().subarray(before);
}

/** Messages begin, and buffers end, at multiples of four. */
test("every message is the same wherever its buffer has to grow", (t) => {
  for (const { title, encode } of messages) {
    const writer = new Writer(65_536);
    encode(writer);
    const expected = writer.take();
    for (let netlink = 0; netlink <= Math.min(expected.length, 4096); netlink += 4) {
      t.notThrows(() => {
        const found = written(encode, netlink);
        if (Buffer.compare(found, expected) !== 0) throw new Error("the bytes are others");
      }, `${title}, after ${netlink} of ${expected.length} bytes`);
    }
  }
});

test("there is a sample of every request that the client can make", (t) => {
  const known = [...Object.entries(operations), ...Object.entries(generic)]
    .filter((entry): entry is [string, RequestKind<unknown>] => typeof entry[1] === "object")
    .map(([name]) => name);
  const sampled = new Set(messages.map(({ title }) => title.split(" ")[0]));
  t.deepEqual(
    known.filter((name) => !sampled.has(name)),
    [],
  );
});
