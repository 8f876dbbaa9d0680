import test from "ava";
import type { Route, Rule } from "#proto/index.js";
import { eventually } from "#test/support/eventually.js";
import { createNamespace, ip } from "#test/support/sandbox.js";
import {
  type Desired,
  NetworkAgent,
  operations,
  states,
  wantInterface,
  wantRouteWithoutInterface,
  wantRule,
} from "./support/network.js";

const end = { type: "VETH", enabled: true } as const;
const interfaces: readonly Desired[] = [
  wantInterface({ ...end, name: "up0", ip_addresses: ["203.0.113.2/24", "fd02::2/64"], veth: { peer_if_name: "up1" } }),
  wantInterface({ ...end, name: "up1", ip_addresses: ["203.0.114.2/24", "fd03::2/64"], veth: { peer_if_name: "up0" } }),
];
const n1 = { type: "NSID", reference: "n1" } as const;
const n2 = { type: "NSID", reference: "n2" } as const;
const samePlace = { type: "FD", reference: "/run/netns/n1" } as const;

let agent: NetworkAgent;
test.before(async () => {
  for (const name of ["n1", "n2"]) await createNamespace(name);
});
test.beforeEach(async () => {
  agent = await NetworkAgent.start("identity");
  await agent.commit(...interfaces);
});
test.afterEach.always(async () => {
  await agent.resync();
  await agent.close();
});

const via = { outgoing_interface: "up0", gw_addr: "203.0.113.1" };
const v6 = { outgoing_interface: "up0", gw_addr: "fd02::1" };
const route = (value: Route): Desired => wantRouteWithoutInterface(value);
const rule = (value: Rule & { readonly priority: number }): Desired => wantRule(value);

/** Values that the kernel keeps apart. */
const apart: Readonly<Record<string, readonly Desired[]>> = {
  "FRR#7806: one destination by one interface in two tables": [
    route({ ...via, dst_network: "0.0.0.0/0" }),
    route({ ...via, dst_network: "0.0.0.0/0", table: 101 }),
    rule({ priority: 100, src_network: "203.0.113.2/32", table: 101 }),
  ],
  "FRR#2954: one destination by one interface with two metrics": [
    route({ ...via, dst_network: "0.0.0.0/0" }),
    route({ ...via, dst_network: "0.0.0.0/0", metric: 100 }),
    route({ ...v6, dst_network: "::/0" }),
    route({ ...v6, dst_network: "::/0", metric: 100 }),
  ],
  "an unreachable default in each of two tables": [
    route({ type: "UNREACHABLE", dst_network: "0.0.0.0/0", metric: 4278198272, table: 10 }),
    route({ type: "UNREACHABLE", dst_network: "0.0.0.0/0", metric: 4278198272, table: 20 }),
  ],
  "systemd#18107: one priority for an IPv4 and an IPv6 rule": [
    rule({ priority: 5209, family: "IPV4", fw_mark: 51820, invert: true, table: 51820 }),
    rule({ priority: 5209, family: "IPV6", fw_mark: 51820, invert: true, table: 51820 }),
    rule({ priority: 5208, family: "IPV4", table: 254, suppress_prefix_length: 0 }),
    rule({ priority: 5208, family: "IPV6", table: 254, suppress_prefix_length: 0 }),
  ],
  "the same blackhole, and rules of one priority, in two namespaces": [
    rule({ priority: 100, src_network: "10.1.0.0/16", table: 100, namespace: n1 }),
    rule({ priority: 100, src_network: "10.1.0.0/16", table: 100, namespace: n2 }),
    route({ type: "BLACKHOLE", dst_network: "10.0.0.0/8", namespace: n1 }),
    route({ type: "BLACKHOLE", dst_network: "10.0.0.0/8", namespace: n2 }),
  ],
};

async function inKernel(): Promise<readonly unknown[]> {
  const lists: (readonly unknown[])[] = [];
  for (const options of [{}, { namespace: "n1" }, { namespace: "n2" }]) {
    for (const family of ["-4", "-6"]) {
      lists.push(await ip(family, "-details", "route", "show", "table", "all", "proto", "199", options));
      const rules = await ip<{ readonly protocol?: string }>(family, "-details", "rule", options);
      lists.push(rules.filter(({ protocol }) => protocol === "199"));
    }
  }
  return lists.flat();
}

for (const [title, values] of Object.entries(apart)) {
  for (const [how, transactions] of Object.entries({
    "in one transaction": [values],
    "one by one": values.map((each) => [each]),
  })) {
    test.serial(`${title}, ${how}`, async (t) => {
      const before = await inKernel();
      for (const changes of transactions) {
        const record = await agent.commit(...changes);
        t.true(
          Object.values(states(record)).every((state) => state === "CONFIGURED"),
          JSON.stringify(states(record)),
        );
      }
      t.is((await inKernel()).length - before.length, values.length);
      t.deepEqual(operations(await agent.scheduler.resyncDownstream()), []);
      const [first, ...others] = values;
      await agent.commit([first?.[0] ?? "", undefined]);
      t.is((await inKernel()).length - before.length, values.length - 1);
      await agent.resync(...interfaces, ...others);
      t.is((await inKernel()).length - before.length, values.length - 1);
      await agent.resync(...interfaces);
      t.is((await inKernel()).length, before.length);
    });
  }
}

/** Values that the kernel cannot tell apart. */
const same: Readonly<Record<string, readonly [Desired, Desired]>> = {
  "by two interfaces": [
    route({ ...via, dst_network: "10.9.0.0/16" }),
    route({ dst_network: "10.9.0.0/16", outgoing_interface: "up1", gw_addr: "203.0.114.1" }),
  ],
  "the default metric of IPv6": [
    route({ ...v6, dst_network: "fd09::/32" }),
    route({ ...v6, dst_network: "fd09::/32", metric: 1024 }),
  ],
  "the main table": [
    route({ ...via, dst_network: "10.9.0.0/16" }),
    route({ ...via, dst_network: "10.9.0.0/16", table: 254 }),
  ],
  "one next hop and several": [
    route({ ...v6, dst_network: "fd09::/32" }),
    route({
      dst_network: "fd09::/32",
      next_hops: [
        { outgoing_interface: "up0", gw_addr: "fd02::9" },
        { outgoing_interface: "up1", gw_addr: "fd03::9" },
      ],
    }),
  ],
  "a blackhole and a way": [
    route({ ...via, dst_network: "10.9.0.0/16", metric: 5 }),
    route({ type: "BLACKHOLE", dst_network: "10.9.0.0/16", metric: 5 }),
  ],
  "two names of one namespace": [
    route({ type: "BLACKHOLE", dst_network: "10.9.0.0/16", namespace: n1 }),
    route({ type: "BLACKHOLE", dst_network: "10.9.0.0/16", namespace: samePlace }),
  ],
  "rules, two names of one namespace": [
    rule({ priority: 100, src_network: "10.1.0.0/16", table: 100, namespace: n1 }),
    rule({ priority: 100, src_network: "10.1.0.0/16", table: 100, namespace: samePlace }),
  ],
};

for (const [title, pair] of Object.entries(same)) {
  test.serial(`of two values that are one to the kernel the second waits: ${title}`, async (t) => {
    for (const [first, second] of [pair, [pair[1], pair[0]] as const]) {
      await agent.commit(first);
      const seen = await inKernel();
      const record = await agent.commit(second);
      const { state, error } = agent.status(second[0]);
      t.is(state, "FAILED");
      t.true(error.includes(first[0]) && error.includes(second[0]), error);
      t.deepEqual(await inKernel(), seen);
      t.not(record.error, "");
      await agent.scheduler.resyncDownstream();
      t.deepEqual(await inKernel(), seen);
      t.is(agent.status(first[0]).state, "CONFIGURED");

      await agent.commit([first[0], undefined]);
      await eventually(() => agent.status(second[0]).state === "CONFIGURED", { what: "the second one is taken" });
      t.is((await inKernel()).length, seen.length);
      t.deepEqual(operations(await agent.scheduler.resyncDownstream()), []);
      await agent.commit([second[0], undefined]);
    }
    const together = await agent.commit(...pair);
    t.deepEqual(
      pair.map(([key]) => agent.status(key).state).sort(),
      ["CONFIGURED", "FAILED"],
      JSON.stringify(states(together)),
    );
    const atomic = [pair[0][0], pair[1][0]].map((key) => [key, undefined] as const);
    await agent.commit(...atomic);
    const reverted = await agent.scheduler.commit({ changes: pair, atomic: true });
    t.true(reverted.reverted);
  });
}

test.serial(
  "a route takes the place of another one in the same transaction, in whichever order they are written",
  async (t) => {
    const [first, second] = same["by two interfaces"] ?? [];
    if (first === undefined || second === undefined) throw new Error("no such pair");
    await agent.commit(first);
    const swapped = await agent.scheduler.commit({ changes: [second, [first[0], undefined]], atomic: true });
    t.is(swapped.error, "");
    t.is(agent.status(second[0]).state, "CONFIGURED");
    const back = await agent.scheduler.commit({ changes: [[second[0], undefined], first], atomic: true });
    t.is(back.error, "");
  },
);

test.serial(
  "a route without metric that is gone already is not removed in the shape of one with a metric",
  async (t) => {
    const [plain, metric] = [
      route({ ...via, dst_network: "10.9.0.0/16" }),
      route({ ...via, dst_network: "10.9.0.0/16", metric: 100 }),
    ];
    await agent.close();
    agent = await NetworkAgent.start("identity", { "linux-drift": { policy: "ignore" } });
    await agent.resync(...interfaces, plain, metric);
    await ip("route", "del", "10.9.0.0/16", "metric", "0");
    await agent.commit([plain[0], undefined]);
    t.is((await ip("route", "show", "10.9.0.0/16")).length, 1);
  },
);
