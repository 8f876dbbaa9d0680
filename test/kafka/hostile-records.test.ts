/** Records that no client writes, in a real broker: none stops those behind it, on the topic of the commands and that of the desired state. */
import { randomUUID } from "node:crypto";
import { eventually } from "#test/support/eventually.js";
import { busAgent, dummy, healthy } from "./support/agent.js";
import { anyKafka, header, type KafkaBus, type Received, withKafka } from "./support/bus.js";
import { batch, CODEC, COMPRESSORS } from "./support/log.js";
import { RawBroker } from "./support/raw-broker.js";

const kafka = anyKafka();
const CODECS = ["gzip", "snappy", "lz4", "zstd"] as const;

/** Writes until the broker has the topic. */
async function produce(raw: RawBroker, topic: string, log: Buffer): Promise<void> {
  await eventually(async () => (await raw.produce(topic, log)) === 0, { what: `${topic} to take a batch` });
}

function lettersOf(letters: readonly Received[], label: string, topic: string): readonly Received[] {
  return letters.filter((letter) => letter.key?.toString() === label && header(letter, "origin-topic") === topic);
}

async function rawBroker(bus: KafkaBus, label: string): Promise<RawBroker> {
  await bus.createTopic(`tenuto.${label}.config`, { "cleanup.policy": "compact" });
  await bus.createTopic(`tenuto.${label}.commands`);
  return await RawBroker.connect(await kafka.brokers());
}

withKafka("commands and values compressed by every codec are applied, and null headers are no obstacle", async (t) => {
  const bus = await kafka.bus();
  const label = `t-${randomUUID().slice(0, 8)}`;
  const raw = await rawBroker(bus, label);
  t.teardown(() => raw.close());
  const nothing = [["none", null] as const, ["tenuto-part", null] as const, ["__proto__", "x"] as const];
  for (const codec of CODECS) {
    const how = { attributes: CODEC[codec], compress: COMPRESSORS[codec] };
    const { key, value } = dummy(`v-${codec}`);
    const records = [{ key, value: JSON.stringify(value), headers: nothing }];
    await produce(raw, `tenuto.${label}.config`, batch({ records, ...how }));
    const command = { id: `${label}-${codec}`, changes: [dummy(`c-${codec}`)] };
    const commands = [{ value: JSON.stringify(command), headers: nothing }];
    await produce(raw, `tenuto.${label}.commands`, batch({ records: commands, ...how }));
  }
  const agent = await busAgent(t, { label, kafka: { brokers: await kafka.brokers() } });
  for (const codec of CODECS) t.is((await bus.result(`${label}-${codec}`)).result.outcome, "APPLIED", codec);
  const all = CODECS.flatMap((codec) => [`c-${codec}`, `v-${codec}`]).toSorted();
  await eventually(() => agent.desired().join() === all.join(), { what: all.join() });
  await healthy(agent);
});

withKafka("a message whose dead letter is hard to make gets one, and those behind it are applied", async (t) => {
  const bus = await kafka.bus();
  const label = `t-${randomUUID().slice(0, 8)}`;
  const raw = await rawBroker(bus, label);
  t.teardown(() => raw.close());
  const agent = await busAgent(t, { label, kafka: { brokers: await kafka.brokers() } });
  await healthy(agent);
  const large = "x".repeat(300_000);
  // Each with a key of its own: of records of one key that are read together the last one counts.
  const poison = [
    { key: "no/such/kind", value: "{", headers: [["none", null] as const] },
    { key: Buffer.from([0xff, 0xfe]), value: "{", headers: [[Buffer.from([0xff]), Buffer.from([0xff])] as const] },
    {
      key: "no/such/kind/2",
      value: "x".repeat(300_000),
      headers: [["large", large] as const, ["small", "y"] as const],
    },
    { key: large, value: "{", headers: Array.from({ length: 1_000 }, (_, index) => [`h${index}`, "z"] as const) },
    { key: "no/such/kind/4", value: "{", headers: Array.from({ length: 1_001 }, () => ["h", ""] as const) },
    { key: "correlated", value: "{", headers: [["correlation-id", large] as const] },
    { key: "no/such/kind/6", value: JSON.stringify({ id: large }), headers: [] },
  ];
  const letters = await bus.view("tenuto.deadletter");
  for (const topic of [`tenuto.${label}.config`, `tenuto.${label}.commands`]) {
    for (const record of poison) await produce(raw, topic, batch({ records: [record] }));
    const those = (): readonly Received[] => lettersOf(letters.messages, label, topic);
    await eventually(() => those().length === poison.length, { what: `the dead letters of ${topic}` });
    t.true(those().every((letter) => header(letter, "error") !== ""));
  }
  const cut = lettersOf(letters.messages, label, `tenuto.${label}.config`).find(
    (each) => header(each, "small") === "y",
  );
  t.is(header(cut, "truncated"), "true");
  const { key, value } = dummy("behind");
  await bus.send(`tenuto.${label}.config`, [{ key, value: JSON.stringify(value) }]);
  await bus.command(label, { id: `${label}-behind`, changes: [dummy("commanded")] });
  t.is((await bus.result(`${label}-behind`)).result.outcome, "APPLIED");
  await eventually(() => agent.desired().join() === "behind,commanded");
  t.regex(agent.health().reason, /1001 headers/, "what cannot be read is told in health");
});
