import test from "ava";
import { arpKey } from "#proto/index.js";
import { eventually } from "#test/support/eventually.js";
import { ip, run } from "#test/support/sandbox.js";
import { NetworkAgent, wantInterface, wantNeighbour } from "./support/network.js";
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
for (const [what, wanted] of Object.entries({
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
    for (const changes of wanted) await agent.commit(...changes);
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
