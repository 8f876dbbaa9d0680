/**
 * The configuration of the first generation: both ends of a pair as JSON files of that time, put under the keys of that time
 * into the bus.
 */
import test from "ava";
import { agentProcess } from "#test/support/agent-process.js";
import { startNats } from "#test/support/brokers.js";
import { eventually } from "#test/support/eventually.js";
import { link, namespaces } from "#test/support/sandbox.js";
import { Orchestrator } from "./support/bus.js";
import { facts } from "./support/pair.js";

function file(end: 1 | 2): object {
  return {
    name: `veth${end}`,
    type: 0,
    enabled: true,
    phys_address: `02:22:00:00:00:0${end}`,
    mtu: 1500,
    ip_addresses: [`192.168.22.${end}/24`],
    namespace: { type: 2, name: `ns${end}` },
    veth: { peer_if_name: `veth${3 - end}` },
  };
}

test("veth1.json and veth2.json come up as a pair between two namespaces, and go with their keys", async (t) => {
  const server = await startNats();
  t.teardown(() => server.stop());
  const agent = await agentProcess({ label: "my-agent", flavor: "nats", args: ["--nats", server.url] });
  t.teardown(() => agent.stop());
  const bus = await Orchestrator.connect(server.url, "my-agent");
  t.teardown(() => bus.close());

  const key = (end: 1 | 2): string => `/vnf-agent/my-agent/linux/config/v1/interface/veth${end}`;
  for (const end of [1, 2] as const) await bus.put(key(end), file(end));
  const view = (end: 1 | 2): Promise<object | undefined> =>
    link(`veth${end}`, { namespace: `ns${end}` }).then(facts, () => undefined);
  const expected = (end: 1 | 2): object => {
    return { kind: "veth", up: true, mtu: 1500, mac: `02:22:00:00:00:0${end}`, addresses: [`192.168.22.${end}/24`] };
  };
  await eventually(async () => JSON.stringify(await view(2)) === JSON.stringify(expected(2)));
  t.deepEqual([await view(1), await view(2)], [expected(1), expected(2)]);

  await bus.withdraw(key(1));
  await bus.withdraw(key(2));
  await eventually(async () => (await namespaces()).length === 0, { what: "the pair and its namespaces to go" });
  t.true(agent.running);
});
