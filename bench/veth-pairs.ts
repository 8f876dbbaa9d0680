import { execFile } from "node:child_process";
import { writeFile } from "node:fs/promises";
import { promisify } from "node:util";
import type { Change } from "#client/index.js";
import { interfaceKey } from "#proto/index.js";
import { type Benchmark, median, type Outcome, type Run, sized, time } from "./benchmark.js";
import { onNats, type Scene } from "./scene.js";

const execute = promisify(execFile);
const additions = "/run/veth-add.batch";
const deletions = "/run/veth-del.batch";

export const vethPairs: Benchmark = {
  name: "veth-pairs",
  method:
    "500 veth pairs in the agent's own namespace with an IPv4 and an IPv6 address on both ends, both ends up, as one transaction over NATS, " +
    "from the first byte sent to the answer received; then all of them deleted by another. Compared with `ip -batch` that makes and " +
    "deletes the same (names, addresses, up). Every turn counts the pairs in the kernel.",
  repeats: 3,
  run: (run) => onNats(run, (scene) => measure(run, scene)),
};

async function measure(run: Run, scene: Scene): Promise<Outcome> {
  const { client } = scene;
  const count = sized(run, 500);
  await writeFile(additions, Array.from({ length: count }, (_, i) => addCommands(i)).join(""));
  await writeFile(deletions, Array.from({ length: count }, (_, i) => `link del ${nameOf(i, "a")}\n`).join(""));
  const figures = {
    added: [] as number[],
    deleted: [] as number[],
    ipAdded: [] as number[],
    ipDeleted: [] as number[],
  };
  for (let turn = 0; turn <= run.repeats; turn++) {
    const adding = client.prepare(Array.from({ length: count }, (_, i) => pairChanges(i)).flat());
    const added = await time(() => client.commit(adding));
    await expectPairs(scene, count);
    const deleting = client.prepare(Array.from({ length: count }, (_, i) => pairRemovals(i)).flat());
    const deleted = await time(() => client.commit(deleting));
    await expectPairs(scene, 0);
    const ipAdded = await time(() => execute("ip", ["-batch", additions]));
    await expectPairs(scene, count);
    const ipDeleted = await time(() => execute("ip", ["-batch", deletions]));
    await expectPairs(scene, 0);
    if (turn === 0) continue;
    figures.added.push(added);
    figures.deleted.push(deleted);
    figures.ipAdded.push(ipAdded);
    figures.ipDeleted.push(ipDeleted);
  }
  return {
    measurements: [
      { name: "agent, up", unit: "ms", values: figures.added },
      { name: "ip -batch, up", unit: "ms", values: figures.ipAdded },
      { name: "agent, deleted", unit: "ms", values: figures.deleted },
      { name: "ip -batch, deleted", unit: "ms", values: figures.ipDeleted },
    ],
    comparisons: [
      {
        name: "up: agent / ip -batch",
        value: median(figures.added) / median(figures.ipAdded),
        target: { atMost: 1.5 },
      },
      {
        name: "deleted: ip -batch / agent",
        value: median(figures.ipDeleted) / median(figures.deleted),
        target: { atLeast: 20 },
      },
    ],
  };
}

type End = "a" | "b";

function nameOf(pair: number, end: End): string {
  return `v${pair}${end}`;
}

function addressesOf(pair: number, end: End): readonly string[] {
  const host = end === "a" ? 1 : 2;
  return [`10.${100 + (pair >> 8)}.${pair & 255}.${host}/30`, `fd00:${pair.toString(16)}::${host}/64`];
}

function pairChanges(pair: number): readonly Change[] {
  const end = (own: End, other: End): Change => ({
    key: interfaceKey(nameOf(pair, own)),
    value: {
      name: nameOf(pair, own),
      type: "VETH",
      enabled: true,
      ip_addresses: addressesOf(pair, own),
      veth: { peer_if_name: nameOf(pair, other) },
    },
  });
  return [end("a", "b"), end("b", "a")];
}

function pairRemovals(pair: number): readonly Change[] {
  return (["a", "b"] as const).map((end) => ({ key: interfaceKey(nameOf(pair, end)), delete: true }));
}

function addCommands(pair: number): string {
  const ends = ["a", "b"] as const;
  return [
    `link add ${nameOf(pair, "a")} type veth peer name ${nameOf(pair, "b")}`,
    ...ends.flatMap((end) =>
      addressesOf(pair, end).map((address) => `address add ${address} dev ${nameOf(pair, end)}`),
    ),
    ...ends.map((end) => `link set ${nameOf(pair, end)} up`),
    "",
  ].join("\n");
}

async function expectPairs({ netlink }: Scene, count: number): Promise<void> {
  const ends = await netlink.default.linkList({ kind: "veth" });
  if (ends.length !== 2 * count) throw new Error(`the kernel has ${ends.length} ends of pairs, expected ${2 * count}`);
}
