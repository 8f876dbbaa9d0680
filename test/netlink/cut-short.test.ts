import { readdirSync, readFileSync } from "node:fs";
import test from "ava";
import { SouthboundError } from "#core/errors.js";
import { Reader, Writer } from "#plugins/netlink/codec/buffer.js";
import { AF_INET, NLMSG_ERROR } from "#plugins/netlink/codec/constants.js";
import { headerBytes as messageHeader } from "#plugins/netlink/codec/message.js";
import { routeHeaderBytes } from "#plugins/netlink/codec/route.js";
import { eventIn } from "#plugins/netlink/namespace/events.js";
import { ResultCollector } from "#plugins/netlink/worker/result-collector.js";
import { projectRoot } from "#test/support/project.js";
import { decoders } from "./decoders.js";
import { messages } from "./messages.js";

test("every decoder answers a message that ends inside its header with a typed error", (t) => {
  for (const [title, { decode, headerBytes }] of Object.entries(decoders)) {
    for (let length = 0; length < headerBytes; length++) {
      const bytes = new Uint8Array(length).fill(AF_INET);
      const error = t.throws(() => decode(new Reader(bytes), 0, length), { instanceOf: SouthboundError }, title);
      t.is(error?.code, "MALFORMED_MESSAGE");
      t.regex(error?.message ?? "", new RegExp(`has ${length} bytes; its header alone has ${headerBytes}`));
    }
  }
});

test("the table of decoders names every one that the codec has", (t) => {
  const folder = `${projectRoot}/plugins/netlink/codec`;
  const source = readdirSync(folder).map((name) => readFileSync(`${folder}/${name}`, "utf8"));
  const exported = source.join("\n").match(/(?<=export function )decode\w+/g) ?? [];
  t.deepEqual(
    exported.sort(),
    Object.values(decoders)
      .map(({ decode }) => decode.name)
      .sort(),
  );
});

test("no message that is cut anywhere makes a decoder throw anything but its typed error", (t) => {
  for (const { title, encode } of messages) {
    const writer = new Writer();
    encode(writer);
    const whole = writer.take();
    for (const { decode } of Object.values(decoders)) {
      for (let length = 0; length <= whole.length; length++) {
        const bytes = whole.slice(0, length);
        try {
          decode(new Reader(bytes), 0, length);
        } catch (error) {
          if (error instanceof SouthboundError) continue;
          t.fail(`${decode.name} of the first ${length} bytes of ${title}: ${String(error)}`);
        }
      }
    }
  }
  t.pass();
});

test("a route whose cache information says that it is empty does not hold the decoder", (t) => {
  const bytes = new Uint8Array(routeHeaderBytes + 8);
  bytes[0] = AF_INET;
  bytes[routeHeaderBytes + 2] = 12;
  t.notThrows(() => decoders.route?.decode(new Reader(bytes), 0, bytes.length));
});

test("an event that cannot be decoded counts as lost", (t) => {
  const message = { type: 16, flags: 0, sequence: 0, start: 0, end: 3 };
  t.is(eventIn(new Reader(new Uint8Array(3)), message), "malformed");
});

test("an answer of the kernel that ends before its error number is a failure", (t) => {
  const answers = new ResultCollector();
  const bytes = new Uint8Array(messageHeader + 2);
  answers.addError(new Reader(bytes), {
    type: NLMSG_ERROR,
    flags: 0,
    sequence: 4,
    start: messageHeader,
    end: bytes.length,
  });
  t.like(answers.failures[0], { sequence: 4, errno: 74 });
});
