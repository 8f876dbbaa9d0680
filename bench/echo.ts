// A process that does on NATS as little as possible: answers every request with as many bytes as it is told, and publishes the
// time (process.hrtime, nanoseconds) in as many bytes, blanks before it, when it is told to.
import { connect } from "nats";

const [url = "", replyBytes = "0"] = process.argv.slice(2);
const connection = await connect({ servers: url });
const reply = new Uint8Array(Number(replyBytes));
connection.subscribe("bare.request", { callback: (_error, message) => void message.respond(reply) });
connection.subscribe("bare.publish", {
  callback: () => connection.publish("bare.time", Buffer.from(String(process.hrtime.bigint()).padStart(reply.length))),
});
await connection.flush();
console.log("ready");
await connection.closed();
