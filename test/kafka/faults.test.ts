/** Faults of the bus, one after the other, on one agent: after each, what both ways in ask for is in the kernel, and nothing of before is missing. */
import { cp, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ExecutionContext } from "ava";
import { change } from "#test/e2e/support/hostile.js";
import { agentProcess } from "#test/support/agent-process.js";
import type { Broker } from "#test/support/brokers.js";
import { eventually } from "#test/support/eventually.js";
import { link } from "#test/support/sandbox.js";
import { broker, KafkaBus, withOwnKafka } from "./support/bus.js";

const PATIENCE = 240_000;
const LABEL = "faults";
const CONFIG = `tenuto.${LABEL}.config`;
const COMMANDS = `tenuto.${LABEL}.commands`;

interface Scene {
  readonly server: Broker;
  readonly earlier: string;
  bus: KafkaBus;
}

async function again({ server }: Scene): Promise<KafkaBus> {
  return await KafkaBus.connect(server.url);
}

async function remake(scene: Scene): Promise<void> {
  await scene.bus.remakeTopics([CONFIG, COMMANDS]);
}

async function shorten({ bus }: Scene): Promise<void> {
  await bus.configure(CONFIG, { "cleanup.policy": "compact,delete" });
  for (const topic of [CONFIG, COMMANDS]) {
    const end = await bus.endOf(topic);
    await eventually(() => bus.deleteRecords(topic, end!).then(() => true), { what: `${topic} to be shortened` });
  }
  await bus.configure(CONFIG, { "cleanup.policy": "compact" });
}

async function setBack(scene: Scene): Promise<void> {
  const data = join(scene.server.directory, "data");
  await scene.bus.close();
  await scene.server.kill();
  await rm(data, { recursive: true });
  await cp(scene.earlier, data, { recursive: true });
  await scene.server.restart();
  scene.bus = await again(scene);
}

async function keep(scene: Scene): Promise<void> {
  await scene.bus.close();
  await scene.server.kill();
  await cp(join(scene.server.directory, "data"), scene.earlier, { recursive: true });
  await scene.server.restart();
  scene.bus = await again(scene);
}

const FAULTS: readonly { readonly title: string; readonly make: (scene: Scene) => Promise<void> }[] = [
  { title: "nothing", make: async () => undefined },
  { title: "the broker ends, and comes back", make: keep },
  { title: "topics that are shortened", make: shorten },
  { title: "topics that are made anew", make: remake },
  { title: "a disk that is set back", make: setBack },
];

async function inKernel(names: readonly string[]): Promise<readonly string[]> {
  const found = await Promise.all(names.map(async (name) => ((await link(name))?.mtu === 1_400 ? [name] : [])));
  return found.flat();
}

withOwnKafka(
  "after every fault of the bus the kernel has what was asked for before it and after it",
  async (t: ExecutionContext) => {
    t.timeout(PATIENCE);
    const earlier = await mkdtemp(join(tmpdir(), "tenuto-faults-"));
    t.teardown(() => rm(earlier, { recursive: true, force: true }));
    const server = await broker(t);
    const scene: Scene = { server, earlier, bus: await KafkaBus.connect(server.url) };
    const agent = await agentProcess({
      label: LABEL,
      flavor: "kafka",
      args: ["--kafka", server.url, "--set", "kafka.topic_check=500ms", "--set", "kafka.reconnect_max=1s"],
    });
    t.teardown(() => agent.stop());
    const asked: string[] = [];
    for (const [index, { title, make }] of FAULTS.entries()) {
      await make(scene);
      const [desired, commanded] = [`want${index}`, `ask${index}`];
      // Twice each: a bus may deliver again.
      for (let times = 0; times < 2; times += 1) {
        await scene.bus.want(LABEL, change(desired, 1_400));
        await scene.bus.command(LABEL, { id: commanded, changes: change(commanded, 1_400) });
      }
      asked.push(desired, commanded);
      await eventually(
        async () => {
          const found = (await inKernel(asked)).join();
          if (found !== asked.join()) throw new Error(found);
          return true;
        },
        { what: `${asked.join()} after ${title}`, timeout: 90_000 },
      );
    }
    await scene.bus.close();
    t.pass();
  },
);
