/** What becomes of a network, from the first value to the last, the same for all of them. */
import { mkdir, mkdtemp, readFile, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ExecutionContext } from "ava";
import { readTransaction } from "#cli/documents.js";
import { LocalClient } from "#cli/local-client.js";
import type { Change, TransactionResult } from "#client/types.js";
import { INTERFACE_PREFIX } from "#proto/index.js";
import { type AgentProcess, agentProcess } from "#test/support/agent-process.js";
import { eventually } from "#test/support/eventually.js";
import { projectRoot } from "#test/support/project.js";
import { ip, namespaces, run } from "#test/support/sandbox.js";
import { isSeen } from "../../linux/support/witness.js";
import { type Scale, scaleBatch, scaleDocument, scalePeers } from "../scale.js";
import type { ByHand, Network, Path } from "./network.js";
import { isReached, reaches, Stream } from "./packets.js";
import { routesAreSeen } from "./routes.js";
import { look, type World } from "./world.js";

/** Where the examples have their keys. */
const KEYS = "/etc/wireguard";

/** An agent as a process of its own, and what a user does with it. */
export class Story {
  private readonly client: LocalClient;
  /** What the agent warned of, before it was killed last. */
  private log = "";

  private constructor(
    private readonly agent: AgentProcess,
    private readonly directory: string,
  ) {
    this.client = new LocalClient({ socketPath: agent.socket, timeout: 10 * 60_000 });
  }

  static async begin(label: string): Promise<Story> {
    const directory = await mkdtemp(join(tmpdir(), "tenuto-networks-"));
    await mkdir(join(directory, "keys"));
    const log = { level: "warn", format: "json" };
    const agent = await agentProcess({ label, configuration: { agent: PATIENCE, log } });
    return new Story(agent, directory);
  }

  async end(): Promise<void> {
    await this.agent.stop();
  }

  /** The whole story of one network. */
  async tell(t: ExecutionContext, network: Network): Promise<void> {
    if (network.others) await shell(network.others.make);
    const before = await look();
    const document = await readFile(join(projectRoot, `examples/networks/${network.name}.yaml`), "utf8");
    const changes = await this.read(document);

    const known = await namespaces();
    await this.killedWhile(
      () => this.replace(changes),
      async () => (await namespaces()).some((name) => !known.includes(name)),
    );
    await this.holds(t, changes, network.paths, "made: ");
    for (const one of network.noPaths ?? []) t.false(await isReached(one), `${one.from} reaches ${one.to}`);
    const made = await look();

    const stream = await Stream.start(network.undisturbed);
    const change = await this.read(network.change);
    isApplied(await this.client.commit({ changes: change }));
    const changed = merged(changes, change);
    await this.holds(t, changed, network.pathsThen, "changed: ");
    t.deepEqual(await stream.stop(), [], "answers that are missing between others");
    const then = await look();

    await this.killedWhile(
      () => this.replace(changes),
      async () => JSON.stringify(await look()) !== JSON.stringify(then),
    );
    await becomes(t, made, "taken back: ");
    for (const one of network.byHand) await this.isRight(t, one, made);
    await this.holds(t, changes, network.paths, "at last: ");

    isApplied(await this.replace([]));
    await becomes(t, before, "removed: ");
    if (network.others) await shell(network.others.remove);
    t.deepEqual(warnings(this.log + this.agent.log), []);
  }

  /** What becomes of a network of scale; tells what it costs in processor time, beside `ip -batch` with the same. */
  async tellScale(t: ExecutionContext, scale: Scale): Promise<void> {
    const file = (name: string): string => join(this.directory, name);
    await writeFile(file("batch"), scaleBatch(scale));
    await writeFile(file("peers"), scalePeers(scale));
    const before = await look();
    await run(["ip", "netns", "add", "by-hand"]);
    const script = `ip -n by-hand -batch ${file("batch")}; ip netns exec by-hand wg addconf wg0 ${file("peers")}; times`;
    const byHand = secondsOf(await run(["sh", "-ec", script]));
    const links = await countLinks("by-hand");
    await run(["ip", "netns", "delete", "by-hand"]);

    const changes = await this.read(scaleDocument(scale));
    const idle = await this.processorTime();
    isApplied(await this.replace(changes));
    const made = await this.processorTime();
    t.is(await countLinks("scale"), links);
    t.is((await run(["wg", "show", "wg0", "peers"], { namespace: "scale" })).trim().split("\n").length, scale.peers);
    t.deepEqual((await this.client.resync()).operations, []);
    await this.agent.kill9();
    this.log += this.agent.log;
    await this.agent.restart();
    const again = await this.processorTime();
    t.deepEqual((await this.client.resync()).operations, []);
    await routesAreSeen(t, changes, "after a restart: ");
    await shell("ip -n scale link delete vlan7");
    await eventually(async () => (await countLinks("scale")) === links);
    const whole = await this.processorTime();
    isApplied(await this.replace([]));
    const removed = await this.processorTime();
    await becomes(t, before, "removed: ");
    t.log({ byHand, made: made - idle, restart: again, removed: removed - whole });
    t.deepEqual(warnings(this.log + this.agent.log), []);
  }

  /** Of the agent since it started, s. */
  private async processorTime(): Promise<number> {
    const stat = await readFile(`/proc/${this.agent.pid}/stat`, "utf8");
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return (Number(fields[11]) + Number(fields[12])) / CLOCK_TICKS;
  }

  private replace(changes: readonly Change[]): Promise<TransactionResult> {
    return this.client.commit({ mode: "REPLACE", changes });
  }

  /** The agent is killed when it has begun with something, and is told again when it is back. */
  private async killedWhile(act: () => Promise<TransactionResult>, hasBegun: () => Promise<boolean>): Promise<void> {
    const broken = act().catch(() => undefined);
    await eventually(hasBegun);
    await this.agent.kill9();
    this.log += this.agent.log;
    await broken;
    await this.agent.restart();
    isApplied(await act());
  }

  /** The kernel has what is desired, iproute2 sees it, packets pass, and there is nothing to do. */
  private async holds(
    t: ExecutionContext,
    changes: readonly Change[],
    paths: readonly Path[],
    when: string,
  ): Promise<void> {
    for (const one of paths) await reaches(one);
    const read = await this.client.dump("sb", INTERFACE_PREFIX);
    await isSeen(t, this.agent.label, read, when);
    await routesAreSeen(t, changes, when);
    const { operations } = await this.client.resync();
    t.deepEqual(operations, [], `${when}a resync has nothing to do`);
    const unsettled = (await this.client.status()).filter(({ state }) => !SETTLED.has(state));
    t.deepEqual(unsettled, [], when);
  }

  private async isRight(
    t: ExecutionContext,
    { script, repairedBy, undo, paths = [] }: ByHand,
    made: World,
  ): Promise<void> {
    await shell(script);
    if (repairedBy === "resync") await this.client.resync();
    if (repairedBy === "nobody") t.deepEqual((await this.client.resync()).operations, [], `${script}: not ours`);
    for (const one of paths) await reaches(one);
    if (undo !== undefined) await shell(undo);
    await becomes(t, made, `${script}: `);
  }

  /** A document as a user writes it. The keys that it names are made where this test may write. */
  private async read(document: string): Promise<readonly Change[]> {
    for (const [name, key] of Object.entries(WIREGUARD_KEYS)) {
      await writeFile(join(this.directory, "keys", `${name}.key`), key, { mode: 0o600 });
    }
    const file = join(this.directory, "network.yaml");
    await writeFile(file, document.replaceAll(KEYS, join(this.directory, "keys")));
    return (await readTransaction([file])).changes;
  }
}

/** Keys that everybody may know: each is one byte, again and again. The examples have the public ones that belong to them. */
const WIREGUARD_KEYS = {
  hub: "AAEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAUE=",
  branch: "AAICAgICAgICAgICAgICAgICAgICAgICAgICAgICAkI=",
  road: "AAMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDA0M=",
};

/** Of user and system time in /proc/<pid>/stat, a second. */
const CLOCK_TICKS = 100;

/** Emulated processors are slow. */
const PATIENCE = { init_timeout: "2m", after_init_timeout: "2m", close_timeout: "2m" };

/** The second line that `times` of a shell prints: user and system time of what it ran, `0m1.5s 0m2.25s`. */
function secondsOf(times: string): number {
  const [, children = ""] = times.trim().split("\n").slice(-2);
  const parts = [...children.matchAll(/(\d+)m([\d.]+)s/g)].map(
    ([, minutes, seconds]) => Number(minutes) * 60 + Number(seconds),
  );
  return parts.reduce((sum, each) => sum + each, 0);
}

async function countLinks(namespace: string): Promise<number> {
  return (await ip("link", "show", { namespace })).length;
}

async function shell(script: string): Promise<void> {
  await run(["sh", "-ec", script]);
}

/** The kernel comes to be as it was: what nobody needs any more goes a moment later. */
async function becomes(t: ExecutionContext, expected: World, when: string): Promise<void> {
  let seen: World = [];
  const isSame = async (): Promise<boolean> => {
    seen = await look();
    return JSON.stringify(seen) === JSON.stringify(expected);
  };
  await eventually(isSame).catch(() => undefined);
  const [gone, come] = [
    expected.filter((line) => !seen.includes(line)),
    seen.filter((line) => !expected.includes(line)),
  ];
  t.deepEqual({ gone, come }, { gone: [], come: [] }, when);
}

function isApplied({ outcome, error, values }: TransactionResult): void {
  const unsettled = values.filter(({ state }) => !SETTLED.has(state) && state !== "REMOVED");
  if (outcome !== "APPLIED") throw new Error(`${outcome}: ${error} ${JSON.stringify(unsettled)}`);
}

/** What is desired after a change. */
function merged(before: readonly Change[], change: readonly Change[]): readonly Change[] {
  const all = new Map([...before, ...change].map((each) => [each.key, each]));
  return [...all.values()].filter((each) => each.delete !== true);
}

/** Lines of a log that tell of something else than what somebody did by hand. */
function warnings(log: string): readonly string[] {
  return log.split("\n").filter((line) => line !== "" && !/drift/.test(line));
}

const SETTLED: ReadonlySet<string> = new Set(["CONFIGURED", "OBTAINED"]);
