import test from "ava";
import type { Interface } from "#proto/index.js";
import { run } from "#test/support/sandbox.js";
import { type Desired, NetworkAgent, states, wantInterface, wantRoute } from "./support/network.js";
import { end, ping, place } from "./support/paths.js";
import { agrees } from "./support/witness.js";

/** Packets pass what was configured. (Those that pass a bridge are in ports.test.ts, VRFs and VLANs in packets.machine.test.ts.) */
let agent: NetworkAgent;
test.before(async () => {
  agent = await NetworkAgent.start("packets");
});
test.afterEach((t) => agrees(t, agent));
test.afterEach.always(() => agent.resync());
test.after.always(() => agent.close());

test.serial("over a routed path, and back", async (t) => {
  const record = await agent.commit(
    end("left", "router", "10.85.0.2/24"),
    end("router", "left", "10.85.0.1/24"),
    end("router", "right", "10.86.0.1/24"),
    end("right", "router", "10.86.0.2/24"),
    wantRoute({ dst_network: "10.86.0.0/24", outgoing_interface: "left-router", gw_addr: "10.85.0.1" }),
    wantRoute({ dst_network: "0.0.0.0/0", outgoing_interface: "right-router", gw_addr: "10.86.0.1" }),
  );
  t.is(record.error, "", JSON.stringify(states(record)));
  await run(["sysctl", "-q", "-w", "net.ipv4.ip_forward=1"], { namespace: "router" });
  await t.notThrowsAsync(ping("left", "10.86.0.2"));
});

function overlay(from: string, remote: string, address: string, change: Partial<Interface>): Desired {
  return wantInterface({
    name: `overlay-${from}`,
    host_if_name: "overlay",
    type: "VXLAN",
    enabled: true,
    ...place(from),
    ip_addresses: [address],
    vxlan: { vni: 42, remote },
    ...change,
  });
}

test.serial("through a VXLAN whose underlay is in its namespace", async (t) => {
  const record = await agent.commit(
    end("east", "west", "10.87.0.1/24"),
    end("west", "east", "10.87.0.2/24"),
    overlay("east", "10.87.0.2", "10.88.0.1/24", {}),
    overlay("west", "10.87.0.1", "10.88.0.2/24", {}),
  );
  t.is(record.error, "", JSON.stringify(states(record)));
  await t.notThrowsAsync(ping("east", "10.88.0.2"));
});

test.serial("through a VXLAN whose underlay is in another namespace", async (t) => {
  const changes = [
    end("east", "west", "10.87.0.1/24"),
    end("west", "east", "10.87.0.2/24"),
    overlay("east", "", "10.88.0.1/24", {
      ...place("tenant"),
      vxlan: { vni: 42, remote: "10.87.0.2", underlay_interface: "east-west" },
    }),
    overlay("west", "10.87.0.1", "10.88.0.2/24", {}),
  ];
  const record = await agent.commit(...changes);
  t.is(record.error, "", JSON.stringify(states(record)));
  await t.notThrowsAsync(ping("tenant", "10.88.0.2"));
  t.deepEqual((await agent.resync(...changes)).executed, []);
});

test.serial("from a MACVLAN in a namespace of its own to the other end of its lower interface's pair", async (t) => {
  const record = await agent.commit(
    end("east", "west", "10.87.0.1/24"),
    end("west", "east", "10.87.0.2/24"),
    wantInterface({
      name: "container",
      type: "MACVLAN",
      enabled: true,
      ...place("tenant"),
      ip_addresses: ["10.87.0.3/24"],
      macvlan: { lower_interface: "east-west", mode: "BRIDGE" },
    }),
  );
  t.is(record.error, "", JSON.stringify(states(record)));
  await t.notThrowsAsync(ping("tenant", "10.87.0.2"));
});
