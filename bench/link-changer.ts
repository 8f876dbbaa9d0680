// The thread of a LinkChanger: changes links when it is told to.
import { parentPort, workerData } from "node:worker_threads";
import { Writer } from "#plugins/netlink/codec/buffer.js";
import { RTM_SETLINK } from "#plugins/netlink/codec/constants.js";
import { encodeLink } from "#plugins/netlink/codec/link.js";
import { beginMessage, endMessage } from "#plugins/netlink/codec/message.js";
import { NetlinkSocket } from "#plugins/netlink/sys/socket.js";
import type { ChangerData, LinkChange } from "./link-changes.js";

const { changedAt } = workerData as ChangerData;
const socket = NetlinkSocket.open(65536);

let sequence = 0;

parentPort?.on("message", (change: LinkChange) => {
  const writer = new Writer();
  const start = beginMessage(writer, RTM_SETLINK, 0, ++sequence);
  encodeLink(writer, change);
  endMessage(writer, start);
  const bytes = writer.take();
  changedAt[0] = process.hrtime.bigint();
  socket.send(bytes);
});
parentPort?.postMessage("ready");
