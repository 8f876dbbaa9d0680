import test from "ava";
import { type ARPEntry, arpKey } from "#proto/index.js";
import { eventually } from "#test/support/eventually.js";
import { ip, run } from "#test/support/sandbox.js";
import { type Desired, NetworkAgent, operations, wantInterface, wantNeighbour } from "./support/network.js";
import { Recorder } from "./support/recorder.js";

const bridge = { name: "br", type: "BRIDGE", enabled: true, ip_addresses: ["10.33.0.1/24"] } as const;
const withPort = { ...bridge, bridge: { ports: [{ interface: "port" }] } } as const;
const port = { name: "port", type: "VETH", enabled: true, veth: { peer_if_name: "far" } } as const;
const far = { name: "far", type: "VETH", enabled: true, veth: { peer_if_name: "port" } } as const;
const neighbour = wantNeighbour({ interface: "br", ip_address: "10.33.0.9", hw_address: "02:00:00:00:33:09" });
const key = arpKey("br", "10.33.0.9");

const isThere = async (): Promise<boolean> => {
  const found = await ip<{ readonly dst: string }>("neighbour", "show", "dev", "br", "nud", "permanent");
  return found.some(({ dst }) => dst === "10.33.0.9");
};

let recorder: Recorder;
let agent: NetworkAgent;
test.beforeEach(async () => {
  recorder = new Recorder();
  agent = await NetworkAgent.start("neighbours", {}, [recorder.plugin]);
});
test.afterEach.always(async () => {
  await agent.resync();
  await agent.close();
});

// The kernel forgets the neighbours of a link whose MAC address changes, and a bridge takes that of a port.
for (const [what, desired] of Object.entries({
  "a bridge gets its port in the same transaction": [[wantInterface(withPort), neighbour]],
  "a bridge gets a port later": [[wantInterface(bridge), neighbour], [wantInterface(withPort)]],
  "a bridge loses its port": [[wantInterface(withPort), neighbour], [wantInterface(bridge)]],
  "a link gets another MAC address": [
    [wantInterface(bridge), neighbour],
    [wantInterface({ ...bridge, phys_address: "02:00:00:00:33:01" })],
  ],
})) {
  test.serial(`a static neighbour is there, and nothing is called drift, when ${what}`, async (t) => {
    await agent.commit(wantInterface(port), wantInterface(far));
    for (const changes of desired) await agent.commit(...changes);
    await eventually(async () => (await isThere()) && agent.status(key).state === "CONFIGURED");
    // Real drift, to know that everything before it has been looked at.
    await run(["ip", "neighbour", "delete", "10.33.0.9", "dev", "br"]);
    await eventually(() => recorder.of("drift").length > 0);
    await eventually(isThere);
    t.is(recorder.of("drift").length, 1);
  });
}

test.serial(
  "an interface that has no neighbours says so, and the kernel gets no entry for another address",
  async (t) => {
    const tunnel = {
      name: "tun",
      type: "TAP",
      enabled: true,
      ip_addresses: ["10.34.0.1/24"],
      tuntap: { mode: "TUN" },
    } as const;
    const beyond = wantNeighbour({ interface: "tun", ip_address: "10.34.0.9", hw_address: "02:00:00:00:34:09" });
    await agent.commit(wantInterface(tunnel), beyond);
    t.like(agent.status(arpKey("tun", "10.34.0.9")), {
      error: "tun is a loopback or leads to one place only, and has no IPv4 neighbours",
    });
    t.deepEqual(await ip("neighbour", "show", "dev", "tun", "nud", "permanent"), []);
    await agent.commit(wantInterface({ ...tunnel, tuntap: { mode: "TAP" } }));
    t.is(agent.status(arpKey("tun", "10.34.0.9")).state, "CONFIGURED");
  },
);

const proxyKey = (address: string): string => arpKey("br", address, { proxy: true });

test.serial(
  "the host answers for an address on a link, beside a neighbour of that address, as long as it is up",
  async (t) => {
    const proxies = async (): Promise<readonly string[]> =>
      [...(await ip<{ readonly dst: string }>("neighbour", "show", "proxy", "dev", "br"))].map(({ dst }) => dst).sort();
    const up = [
      wantInterface(bridge),
      ...["10.33.0.9", "fd00:33::9"].map((ip_address) => wantProxy({ interface: "br", ip_address })),
    ];
    t.is((await agent.commit(...up, neighbour)).error, "");
    t.deepEqual([await proxies(), await isThere()], [["10.33.0.9", "fd00:33::9"], true]);
    t.deepEqual(operations(await agent.resync(...up, neighbour)), []);
    await agent.commit([key, undefined]);
    t.deepEqual([await proxies(), await isThere()], [["10.33.0.9", "fd00:33::9"], false]);
    await agent.commit(wantInterface({ ...bridge, enabled: false }));
    t.is(agent.status(proxyKey("10.33.0.9")).state, "PENDING");
    await agent.commit(wantInterface(bridge));
    t.deepEqual(await proxies(), ["10.33.0.9", "fd00:33::9"]);
    // The kernel tells nobody: the next look finds it. Others' entries stay.
    await run(["ip", "neighbour", "delete", "proxy", "10.33.0.9", "dev", "br"]);
    await run(["ip", "neighbour", "add", "proxy", "10.33.0.7", "dev", "br"]);
    // Something else may have made the agent look before.
    await agent.resync(...up);
    t.deepEqual(await proxies(), ["10.33.0.7", "10.33.0.9", "fd00:33::9"]);
    await agent.resync(wantInterface(bridge));
    t.deepEqual(await proxies(), ["10.33.0.7"]);
    const wrong = wantProxy({ interface: "br", ip_address: "10.33.0.9", hw_address: "02:00:00:00:33:09" });
    await agent.commit(wrong);
    t.like(agent.status(wrong[0]), {
      state: "INVALID",
      error: "hw_address: is set, but the host answers with its own",
    });
  },
);

function wantProxy(value: ARPEntry): Desired {
  const { interface: name = "", ip_address: address = "" } = value;
  return [arpKey(name, address, { proxy: true }), { ...value, proxy: true }];
}
