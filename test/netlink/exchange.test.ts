import test from "ava";
import { Reader, Writer } from "#plugins/netlink/codec/buffer.js";
import { NLM_F_DUMP, NLM_F_DUMP_INTR, NLMSG_DONE, RTM_GETLINK, RTM_NEWLINK } from "#plugins/netlink/codec/constants.js";
import { beginMessage, endMessage } from "#plugins/netlink/codec/message.js";
import { Datagrams } from "#plugins/netlink/sys/datagrams.js";
import type { NetlinkSocket } from "#plugins/netlink/sys/socket.js";
import { Exchange } from "#plugins/netlink/worker/exchange.js";
import { ResultCollector } from "#plugins/netlink/worker/result-collector.js";
import "#test/support/sandbox.js";

const sequence = 7;

function datagram(...types: readonly (readonly [type: number, flags: number])[]): Uint8Array {
  const writer = new Writer();
  for (const [type, flags] of types) {
    const start = beginMessage(writer, type, flags, sequence);
    writer.reserve(4);
    endMessage(writer, start);
  }
  return writer.take();
}

/** A kernel that says what the test tells it to: an interrupted dump cannot be had from a real one on demand. */
class ScriptedKernel extends Datagrams {
  sends = 0;
  private length = 0;

  constructor(private readonly script: (Uint8Array | number)[]) {
    super(1, 4096);
  }

  get socket(): NetlinkSocket {
    const send = () => {
      this.sends++;
    };
    return { fd: -1, send } as unknown as NetlinkSocket;
  }

  override receive(): number {
    const next = this.script.shift();
    if (next === undefined) throw new Error("the exchange reads on after the end");
    if (typeof next === "number") return -next;
    this.bytes.set(next);
    this.length = next.length;
    return 1;
  }

  override end(): number {
    return this.length;
  }
}

function dump(kernel: ScriptedKernel): ResultCollector {
  const writer = new Writer();
  endMessage(writer, beginMessage(writer, RTM_GETLINK, NLM_F_DUMP, sequence));
  const bytes = writer.take();
  const answers = new ResultCollector();
  new Exchange(kernel.socket, kernel).dump(new Reader(bytes), 0, bytes.length, answers);
  return answers;
}

const link = [RTM_NEWLINK, 0] as const;
const interrupted = [RTM_NEWLINK, NLM_F_DUMP_INTR] as const;
const done = [NLMSG_DONE, 0] as const;
const doneInterrupted = [NLMSG_DONE, NLM_F_DUMP_INTR] as const;
const EINTR = 4;
const ENOBUFS = 105;

test("a dump that was interrupted is thrown away and made again", (t) => {
  const kernel = new ScriptedKernel([
    datagram(link, interrupted, link),
    datagram(link, done),
    datagram(link, link),
    datagram(doneInterrupted),
    datagram(link),
    EINTR,
    datagram(link, done),
  ]);
  const answers = dump(kernel);
  t.is(kernel.sends, 3);
  t.deepEqual(answers.failures, []);
  t.deepEqual(
    answers.replies.map(({ sequence: of, parts }) => [of, parts.length]),
    [[sequence, 2]],
  );
});

test("a dump that never comes to rest fails", (t) => {
  const kernel = new ScriptedKernel(Array.from({ length: 100 }, () => datagram(interrupted, done)));
  const answers = dump(kernel);
  t.like(answers.failures, { length: 1, 0: { sequence, errno: EINTR } });
  t.deepEqual(answers.replies, []);
});

test("a dump whose socket fails reports the errno", (t) => {
  t.like(dump(new ScriptedKernel([datagram(link), ENOBUFS])).failures, { length: 1, 0: { sequence, errno: ENOBUFS } });
});

test("requests whose answers were lost fail, those answered before keep their result", (t) => {
  const writer = new Writer();
  const starts = [1, 2, 3].map((number) => {
    const start = beginMessage(writer, RTM_NEWLINK, 0, number);
    endMessage(writer, start);
    return start;
  });
  const refusal = new Writer();
  const start = beginMessage(refusal, 2, 0, 2);
  refusal.view.setInt32(refusal.reserve(20), -17, true);
  endMessage(refusal, start);
  const kernel = new ScriptedKernel([refusal.take(), ENOBUFS, 11]);
  const bytes = writer.take();
  const answers = new ResultCollector();
  new Exchange(kernel.socket, kernel).send(new Reader(bytes), 0, starts[2]!, bytes.length, 3, answers);
  t.deepEqual(
    answers.failures.map(({ sequence: of, errno }) => [of, errno]),
    [
      [2, 17],
      [1, ENOBUFS],
      [3, ENOBUFS],
    ],
  );
});
