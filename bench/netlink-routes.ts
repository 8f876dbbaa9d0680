import { execFile } from "node:child_process";
import { writeFile } from "node:fs/promises";
import { promisify } from "node:util";
import type { NamespaceHandle, Route } from "#plugins/netlink/index.js";
import { type Benchmark, median, type Outcome, time } from "./benchmark.js";
import { addPair, startNetlink } from "./netlink-client.js";

const execute = promisify(execFile);
const count = 10_000;
const link = "routes";
const gateway = "10.255.0.2";
const batchFile = "/run/routes.batch";

const destinations: readonly string[] = Array.from({ length: count }, (_, i) => `10.${i >> 8}.${i & 255}.0/24`);

async function expectRoutes(namespace: NamespaceHandle, expected: number): Promise<void> {
  const routes = await namespace.routeList({ family: "inet", table: 254 });
  const found = routes.filter((route) => route.gateway === gateway).length;
  if (found !== expected) throw new Error(`there are ${found} routes, expected ${expected}`);
}

async function removeRoutes(namespace: NamespaceHandle): Promise<void> {
  await Promise.all(destinations.map((destination) => namespace.routeDel({ destination })));
  await expectRoutes(namespace, 0);
}

export const netlinkRoutes: Benchmark = {
  name: "netlink-routes",
  method:
    "10,000 IPv4 routes through a gateway, added to an empty table of a private network namespace: one routeAdd each " +
    "through the netlink client, made in one turn, until every result is there; against `ip -batch` with the same " +
    "routes from a file in memory, from start to exit. In turns, the first turn of both is not counted, and every " +
    "turn checks by dump that all routes are there.",
  repeats: 11,

  async run({ repeats }): Promise<Outcome> {
    const netlink = await startNetlink();
    const namespace = netlink.default;
    const { index: linkIndex } = await addPair(namespace, link);
    await namespace.addrAdd({ linkIndex, address: "10.255.0.1/24" });
    const routes: readonly Route[] = destinations.map((destination) => ({ destination, gateway, linkIndex }));
    const lines = destinations.map((destination) => `route add ${destination} via ${gateway} dev ${link}\n`);
    await writeFile(batchFile, lines.join(""));
    const ours: number[] = [];
    const theirs: number[] = [];
    for (let turn = 0; turn <= repeats; turn++) {
      const own = await time(() => Promise.all(routes.map((route) => namespace.routeAdd(route))));
      await expectRoutes(namespace, count);
      await removeRoutes(namespace);
      const iproute2 = await time(() => execute("ip", ["-batch", batchFile]));
      await expectRoutes(namespace, count);
      await removeRoutes(namespace);
      if (turn === 0) continue;
      ours.push(own);
      theirs.push(iproute2);
    }
    await namespace.linkDel(linkIndex);
    await netlink.close();
    return {
      measurements: [
        { name: "netlink client", unit: "ms", values: ours },
        { name: "ip -batch", unit: "ms", values: theirs },
      ],
      comparisons: [
        { name: "netlink client / ip -batch", value: median(ours) / median(theirs), target: { atMost: 1 } },
      ],
    };
  },
};
