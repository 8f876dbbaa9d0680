/**
 * Closes its client in the moment when the broker has said what the bucket has that the client reads, and ends when nothing keeps it:
 * `ending-process <servers> entries|watch`.
 */
import { NatsClient } from "#client/nats-client.js";
import { NatsRequests } from "#client/nats-connection.js";

const [servers = "", what] = process.argv.slice(2);
const requests = await NatsRequests.connect({ servers });
const client = new NatsClient(requests, "ends");
await client.desired.put("config/linux/interfaces/v2/interface/a", {});
await (await requests.connection.jetstream().views.kv("tenuto-state")).put("ends.interface.a", "{}");

// Comes with the same bytes as the answer that the library itself waits for.
const answers = requests.connection.subscribe("_INBOX.>");
const reading =
  what === "entries" ? client.desired.entries() : client.watch("interfaces")[Symbol.asyncIterator]().next();
const outcome = reading.then(
  () => "read",
  (error: unknown) => String(error),
);
for await (const answer of answers) {
  if (!answer.string().includes("stream_info_response")) continue;
  await client.close();
}
process.stdout.write(`closed: ${await outcome}\n`);
