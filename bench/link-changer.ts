// A thread of the benchmark netlink-event: changes the group of a link when it is told to.
import { parentPort, workerData } from "node:worker_threads";
import { Writer } from "#plugins/netlink/codec/buffer.js";
import { RTM_SETLINK } from "#plugins/netlink/codec/constants.js";
import { encodeLink } from "#plugins/netlink/codec/link.js";
import { beginMessage, endMessage } from "#plugins/netlink/codec/message.js";
import { NetlinkSocket } from "#plugins/netlink/sys/socket.js";
import type { ChangerData } from "./netlink-event.js";

const { linkIndex, changedAt } = workerData as ChangerData;
const socket = NetlinkSocket.open(65536);

parentPort?.on("message", (told: number | "start") => {
  if (told === "start") {
    parentPort?.postMessage("ready");
    return;
  }
  const writer = new Writer();
  const start = beginMessage(writer, RTM_SETLINK, 0, told);
  encodeLink(writer, { index: linkIndex, group: told });
  endMessage(writer, start);
  const bytes = writer.take();
  changedAt[0] = process.hrtime.bigint();
  socket.send(bytes);
});
