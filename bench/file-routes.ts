import { mkdir, mkdtemp, readFile, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { eventually } from "#test/support/eventually.js";
import { type Benchmark, type Outcome, type Run, sized, time } from "./benchmark.js";
import { measuredAgent } from "./measured-agent.js";
import { startNetlink } from "./netlink-client.js";
import { nextToFloor } from "./next-to-floor.js";
import * as routes from "./routes.js";

/** `file.settle`: how long the files must be quiet before they are read. */
const settle = "10ms";
const patience = { timeout: 120_000, what: "the routes" };

export const fileRoutes: Benchmark = {
  name: "file-routes",
  method:
    "100,000 routes as a JSON file that is moved into the directory of the file source (flavor embedded, store on, file.settle 10 ms), from " +
    "the move until the kernel has all of them; the kernel's count is looked at every 10 ms. Compared with the floor: the same " +
    "kernel messages encoded and sent from Node, 128 to a system call. In turns, the first turn is not counted.",
  repeats: 3,

  async run(run): Promise<Outcome> {
    const directory = await mkdtemp(join(tmpdir(), "tenuto-bench-"));
    const path = join(directory, "desired");
    await mkdir(path);
    await writeFile(join(path, "uplink.json"), JSON.stringify({ changes: routes.uplinkChanges() }));
    const agent = await measuredAgent(run, {
      label: "bench",
      flavor: "embedded",
      configuration: { file: { path, settle } },
    });
    try {
      return await measure(run, directory, path);
    } finally {
      await agent.stop();
      await rm(directory, { recursive: true, force: true });
    }
  },
};

async function measure(run: Run, directory: string, path: string): Promise<Outcome> {
  const networks = routes.destinations(sized(run, 100_000));
  const staged = join(directory, "staged");
  const netlink = await startNetlink();
  const link = await eventually(() => netlink.default.linkByName(routes.uplink.name), patience);
  const none = await prefixes();
  const outcome = await nextToFloor(run, {
    name: "file source",
    networks,
    linkIndex: link.index,
    async add() {
      await writeFile(staged, JSON.stringify({ changes: networks.map((network) => routes.routeChange(network)) }));
      return await time(async () => {
        await rename(staged, join(path, "routes.json"));
        await eventually(async () => (await prefixes()) >= none + networks.length, patience);
      });
    },
    async remove() {
      // A file that is gone says nothing; one that says so has no routes.
      await writeFile(staged, JSON.stringify({ changes: [] }));
      await rename(staged, join(path, "routes.json"));
      await eventually(async () => (await prefixes()) <= none, patience);
    },
  });
  await netlink.close();
  return outcome;
}

/** How many IPv4 routes of all tables the kernel has; cheap to ask, even of a hundred thousand. */
export async function prefixes(): Promise<number> {
  const text = await readFile("/proc/thread-self/net/fib_triestat", "utf8");
  return [...text.matchAll(/Prefixes:\s+(\d+)/g)].reduce((sum, [, count]) => sum + Number(count), 0);
}
