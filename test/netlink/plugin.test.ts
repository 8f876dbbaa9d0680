import test from "ava";
import { Agent } from "#core/agent/index.js";
import { flavor } from "#core/flavor/index.js";
import { Health } from "#core/health/types.js";
import { Netlink, NetlinkPlugin } from "#plugins/netlink/index.js";
import { eventually } from "#test/support/eventually.js";
import "#test/support/sandbox.js";

const silent = { write: () => undefined };

function agentWith(section: object): Agent {
  return new Agent({
    flavor: flavor("test", [NetlinkPlugin]),
    label: "t1",
    environment: {},
    configuration: { netlink: section },
    logStream: silent,
  });
}

test("an agent gives its plugins the netlink client, open from start to close", async (t) => {
  const agent = agentWith({ batch_messages: 16 });
  await agent.start();
  const netlink = agent.get(Netlink);
  t.deepEqual(
    (await netlink.default.linkList()).map(({ name }) => name),
    ["lo"],
  );
  t.is(
    agent
      .get(Health)
      .plugins()
      .find(({ plugin }) => plugin === "netlink")?.state,
    "ok",
  );
  await agent.close();
  t.throws(() => netlink.default, { code: "NETLINK_NOT_RUNNING" });
});

test("a crash of the worker is the plugin's failure, and the agent is not live any more", async (t) => {
  const agent = agentWith({});
  await agent.start();
  const { running } = agent.get(Netlink) as unknown as { running: { channel: { post(message: unknown): void } } };
  // A message that no worker understands stands for a bug of ours.
  running.channel.post(undefined);
  await eventually(() =>
    agent
      .get(Health)
      .plugins()
      .some(({ state }) => state === "failed"),
  );
  t.false(agent.get(Health).live);
  await agent.close();
});

test("a limit that makes no sense is refused with its path", async (t) => {
  await t.throwsAsync(async () => agentWith({ batch_bytes: 1 }).start(), { message: /netlink\.batch_bytes/ });
});
