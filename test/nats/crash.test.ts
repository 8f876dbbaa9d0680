import test from "ava";
import { connectNats } from "#client/index.js";
import { agentProcess } from "#test/support/agent-process.js";
import { startNats } from "#test/support/brokers.js";
import { veth, vethKey } from "./support/agent.js";

test("an agent that is killed during a stream of transactions answers each, and has accepted all that it answered", async (t) => {
  const server = await startNats();
  t.teardown(() => server.stop());
  const agent = await agentProcess({ label: "crash", flavor: "nats", args: ["--nats", server.url] });
  t.teardown(() => agent.stop());
  const client = await connectNats({ servers: server.url, label: "crash", patience: 30_000 });
  t.teardown(() => client.close());

  const names = Array.from({ length: 90 }, (_, index) => `v${index}`);
  for (const [index, name] of names.entries()) {
    const answer = client.commit({ id: `tx-${name}`, changes: [veth(name, `peer-of-${name}`)] });
    // Once each before, during and after the transaction is worked on, as it happens to come.
    if (index % 30 === 15) {
      await agent.kill9();
      await agent.restart();
    }
    t.is((await answer).outcome, "APPLIED");
  }
  const wanted = (await client.get()).map(({ key }) => key);
  t.deepEqual(wanted.toSorted(), names.map(vethKey).toSorted());
  const again = await client.commit({ id: "tx-v0", changes: [veth("v0", "peer-of-v0")] });
  t.is(again.outcome, "APPLIED");
  t.deepEqual(
    again.values.map(({ key }) => key),
    [vethKey("v0")],
  );
});
