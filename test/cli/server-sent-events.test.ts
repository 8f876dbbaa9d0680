import test from "ava";
import fc from "fast-check";
import { type ServerSentEvent, serverSentEvents } from "#cli/server-sent-events.js";

async function parse(pieces: readonly string[]): Promise<readonly ServerSentEvent[]> {
  async function* text(): AsyncGenerator<string> {
    yield* pieces;
  }
  const events: ServerSentEvent[] = [];
  for await (const event of serverSentEvents(text())) events.push(event);
  return events;
}

const STREAM =
  ': connected\n\nid: 1\nevent: interface\ndata: {"a":1}\n\n: keep-alive\n\ndata: x\ndata: y\n\nevent: cut off\ndata: z';

const EVENTS = [
  { event: "interface", data: '{"a":1}' },
  { event: "message", data: "x\ny" },
];

test("comments and an event that is cut off are not events; lines of data are joined", async (t) => {
  t.deepEqual(await parse([STREAM]), EVENTS);
});

test("events are the same however the stream is cut into pieces", async (t) => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.nat({ max: STREAM.length }), { maxLength: 8 }), async (cuts) => {
      const places = [0, ...[...cuts].sort((a, b) => a - b), STREAM.length];
      const pieces = places.slice(1).map((end, index) => STREAM.slice(places[index], end));
      t.deepEqual(await parse(pieces), EVENTS);
    }),
    { numRuns: 50 },
  );
});
