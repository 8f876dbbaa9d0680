import test from "ava";
import { Netlink } from "#plugins/netlink/index.js";
import { interfaceKey, type VethLink } from "#proto/index.js";
import { eventually } from "#test/support/eventually.js";
import { link } from "#test/support/sandbox.js";
import { type Desired, NetworkAgent, operations, wantInterface } from "./support/network.js";

/** Checksum offloads of veth pairs, with the netlink client as witness in test/netlink/generic.test.ts. */
let agent: NetworkAgent;
test.beforeEach(async () => {
  agent = await NetworkAgent.start("offloads");
});
test.afterEach.always(async () => {
  await agent.resync();
  await agent.close();
});

function pair(offloads: VethLink): readonly Desired[] {
  return [
    wantInterface({ name: "a", type: "VETH", enabled: true, veth: { peer_if_name: "b", ...offloads } }),
    wantInterface({ name: "b", type: "VETH", enabled: true, veth: { peer_if_name: "a" } }),
  ];
}

async function features(name: string): Promise<ReadonlySet<string>> {
  const found = await link(name);
  return agent.agent.get(Netlink).default.featureList(found?.ifindex ?? 0);
}

test.serial("offloads are switched as asked for, in place, and a resync finds them", async (t) => {
  const off = pair({ rx_checksum_offloading: "DISABLED", tx_checksum_offloading: "DISABLED" });
  t.is((await agent.commit(...off)).error, "");
  t.false((await features("a")).has("rx-checksum"));
  t.false((await features("a")).has("tx-checksum-ip-generic"));
  t.true((await features("b")).has("rx-checksum"));
  t.deepEqual(operations(await agent.resync(...off)), []);
  const on = pair({ rx_checksum_offloading: "ENABLED" });
  t.deepEqual(operations(await agent.commit(...on)), [`UPDATE ${interfaceKey("a")}`]);
  t.true((await features("a")).has("rx-checksum"));
  t.deepEqual(operations(await agent.resync(...on)), []);
});

test.serial("an offload that somebody else switched is switched back", async (t) => {
  const off = pair({ rx_checksum_offloading: "DISABLED" });
  await agent.commit(...off);
  const { default: here } = agent.agent.get(Netlink);
  await here.featureSet((await link("a"))?.ifindex ?? 0, { "rx-checksum": true });
  await t.notThrowsAsync(eventually(async () => !(await features("a")).has("rx-checksum")));
  t.deepEqual(operations(await agent.resync(...off)), []);
});
