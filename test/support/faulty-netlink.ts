// The entry point of a netlink thread that meets the faults of NetlinkFaults.
import { workerData } from "node:worker_threads";
import { Reader } from "#plugins/netlink/codec/buffer.js";
import { messagesOf } from "#plugins/netlink/codec/message.js";
import { Datagrams, MSG_DONTWAIT, MSG_WAITFORONE } from "#plugins/netlink/sys/datagrams.js";
import { ENOBUFS, SystemCallError } from "#plugins/netlink/sys/errno.js";
import { NetlinkSocket } from "#plugins/netlink/sys/socket.js";
import { FAULT, FAULT_KINDS } from "./netlink-faults.js";

const memory = workerData as Int32Array;
let losesAnswer = false;
let losesEvents = false;

const send = Reflect.get(NetlinkSocket.prototype, "send");
NetlinkSocket.prototype.send = function (this: NetlinkSocket, bytes: Uint8Array): void {
  const kind = concerned(bytes) ? FAULT_KINDS[Atomics.load(memory, FAULT.kind)] : "none";
  if (kind !== "none") {
    Atomics.sub(memory, FAULT.left, 1);
    Atomics.add(memory, FAULT.hits, 1);
  }
  const argument = Atomics.load(memory, FAULT.argument);
  if (kind === "errno") throw new SystemCallError("send", argument);
  if (kind === "death") throw new Error("the thread was told to die");
  if (kind === "delay") Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, argument);
  if (kind === "lost-answer") losesAnswer = true;
  if (kind === "lost-events") losesEvents = true;
  send.call(this, bytes);
};

const receive = Reflect.get(Datagrams.prototype, "receive");
Datagrams.prototype.receive = function (this: Datagrams, fd: number, flags: number): number {
  if (losesAnswer && flags === MSG_WAITFORONE) {
    losesAnswer = false;
    return -ENOBUFS;
  }
  if (losesEvents && flags === MSG_DONTWAIT) {
    losesEvents = false;
    receive.call(this, fd, flags);
    return -ENOBUFS;
  }
  return receive.call(this, fd, flags);
};

function concerned(bytes: Uint8Array): boolean {
  if (Atomics.load(memory, FAULT.left) <= 0) return false;
  const type = Atomics.load(memory, FAULT.type);
  const reader = new Reader(bytes);
  for (const message of messagesOf(reader, 0, bytes.length)) if (message.type === type) return true;
  return false;
}

await import("#plugins/netlink/worker/main.js");
