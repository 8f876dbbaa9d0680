import test from "ava";
import type { Interface } from "#proto/index.js";
import { run } from "#test/support/sandbox.js";
import { hasKind, IN_ANOTHER_KERNEL } from "./support/kinds.js";
import { NetworkAgent, states, type Wanted, wantInterface, wantRoute } from "./support/network.js";
import { agrees } from "./support/witness.js";

/** Packets pass what was configured. (test/linux/ports.test.ts has those that pass a bridge.) */
let agent: NetworkAgent;
test.before(async () => {
  agent = await NetworkAgent.start("packets");
});
test.afterEach((t) => agrees(t, agent));
test.afterEach.always(() => agent.resync());
test.after.always(() => agent.close());

/** What every kernel has is tried in the machine's own. */
const here = IN_ANOTHER_KERNEL ? test.serial.skip : test.serial;

const place = (reference: string) => ({ namespace: { type: "NSID", reference } }) as const;

/** One end of a pair, called `<from>-<to>`, in the namespace `from`. */
function end(from: string, to: string, address: string, change: Partial<Interface> = {}): Wanted {
  return wantInterface({
    name: `${from}-${to}`,
    type: "VETH",
    enabled: true,
    ...place(from),
    ip_addresses: [address],
    veth: { peer_if_name: `${to}-${from}` },
    ...change,
  });
}

async function ping(namespace: string, address: string, ...options: readonly string[]): Promise<void> {
  await run(["ping", "-c1", "-W5", ...options, address], { namespace });
}

here("over a routed path, and back", async (t) => {
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

function overlay(from: string, remote: string, address: string, change: Partial<Interface>): Wanted {
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

here("through a VXLAN whose underlay is in its namespace", async (t) => {
  const record = await agent.commit(
    end("east", "west", "10.87.0.1/24"),
    end("west", "east", "10.87.0.2/24"),
    overlay("east", "10.87.0.2", "10.88.0.1/24", {}),
    overlay("west", "10.87.0.1", "10.88.0.2/24", {}),
  );
  t.is(record.error, "", JSON.stringify(states(record)));
  await t.notThrowsAsync(ping("east", "10.88.0.2"));
});

here("through a VXLAN whose underlay is in another namespace", async (t) => {
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

here("from a MACVLAN in a namespace of its own to the other end of its lower interface's pair", async (t) => {
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

const withVrfs = hasKind("vrf", ["table", "10"]) ? test.serial : test.serial.skip;

withVrfs("in two VRFs with the same addresses, each to its own neighbour", async (t) => {
  const record = await agent.commit(
    ...["red", "blue"].flatMap((vrf, i) => [
      wantInterface({
        name: vrf,
        type: "VRF_DEVICE",
        enabled: true,
        ...place("pe"),
        vrf_dev: { routing_table: 10 + i },
      }),
      end("pe", vrf, "10.89.0.1/24", { vrf_master_interface: vrf }),
      end(vrf, "pe", "10.89.0.2/24"),
    ]),
  );
  t.is(record.error, "", JSON.stringify(states(record)));
  for (const vrf of ["red", "blue"]) await t.notThrowsAsync(ping("pe", "10.89.0.2", "-I", vrf));
});

const withVlans = hasKind("vlan", ["id", "5"]) ? test.serial : test.serial.skip;

withVlans("in a VLAN, and not beside it", async (t) => {
  const vlan = (name: string, lower: string, id: number, address: string): Wanted =>
    wantInterface({
      name,
      type: "VLAN",
      enabled: true,
      ...place(name.slice(0, 4)),
      ip_addresses: [address],
      vlan: { lower_interface: lower, id },
    });
  const record = await agent.commit(
    end("east", "west", "10.87.0.1/24"),
    end("west", "east", "10.87.0.2/24"),
    vlan("east-5", "east-west", 5, "10.95.0.1/24"),
    vlan("west-5", "west-east", 5, "10.95.0.2/24"),
    vlan("east-6", "east-west", 6, "10.96.0.1/24"),
    vlan("west-7", "west-east", 7, "10.96.0.2/24"),
  );
  t.is(record.error, "", JSON.stringify(states(record)));
  await t.notThrowsAsync(ping("east", "10.95.0.2"));
  await t.throwsAsync(run(["ping", "-c1", "-W1", "10.96.0.2"], { namespace: "east" }));
});
