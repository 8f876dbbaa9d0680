import test from "ava";
import { run } from "#test/support/sandbox.js";
import { type Desired, NetworkAgent, states, wantInterface } from "./support/network.js";
import { end, ping, place } from "./support/paths.js";
import { agrees } from "./support/witness.js";

/** Packets pass what was configured, where not every kernel has it. */
let agent: NetworkAgent;
test.before(async () => {
  agent = await NetworkAgent.start("packets");
});
test.afterEach((t) => agrees(t, agent));
test.afterEach.always(() => agent.resync());
test.after.always(() => agent.close());

test.serial("in two VRFs with the same addresses, each to its own neighbour", async (t) => {
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

test.serial("in a VLAN, and not beside it", async (t) => {
  const vlan = (name: string, lower: string, id: number, address: string): Desired =>
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
