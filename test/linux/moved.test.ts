import test from "ava";
import { interfaceKey } from "#proto/index.js";
import { eventually } from "#test/support/eventually.js";
import { createNamespace, deleteNamespace, ip, link, links, run } from "#test/support/sandbox.js";
import { NetworkAgent, operations, wantInterface, wantRule } from "./support/network.js";
import { agrees } from "./support/witness.js";

/** Links of ours in a namespace where the agent has nothing. */
const AFAR = { namespace: "afar" };
const subject = wantInterface({ name: "subject", type: "TAP", enabled: true, ip_addresses: ["10.84.0.1/24"] });

let agent: NetworkAgent;
test.beforeEach(async () => {
  await createNamespace("afar");
  agent = await NetworkAgent.start("moved");
});
test.afterEach.always(async () => {
  await agent.resync();
  await agent.close();
  await deleteNamespace("afar");
});

const namesAfar = async () => (await links(AFAR)).map(({ ifname }) => ifname).filter((name) => name !== "lo");
const isAsDesired = async () => operations(await agent.scheduler.resyncDownstream()).length === 0;

test.serial(
  "an interface that somebody moves to where the agent has nothing is brought back, and not made twice",
  async (t) => {
    t.is((await agent.commit(subject)).error, "");
    await run(["ip", "link", "set", "dev", "subject", "netns", "afar"]);
    await eventually(async () => (await link("subject"))?.flags.includes("UP") === true, { what: "the repair" });
    await eventually(isAsDesired);
    t.deepEqual(await namesAfar(), []);
    await agrees(t, agent);
  },
);

for (const namespace of [undefined, { type: "NSID", reference: "near" }] as const) {
  const place = namespace === undefined ? "the agent's own namespace" : "another namespace";
  test.serial(
    `of two links with one mark, that in ${place} where it is desired stays, and the other goes`,
    async (t) => {
      const desired = wantInterface({
        name: "subject",
        type: "TAP",
        enabled: true,
        ...(namespace ? { namespace } : {}),
      });
      const options = namespace === undefined ? {} : { namespace: namespace.reference };
      t.is((await agent.commit(desired)).error, "");
      const before = (await link("subject", options))?.ifindex;
      await ip("tuntap", "add", "dev", "subject", "mode", "tap", AFAR);
      await ip("link", "set", "dev", "subject", "alias", "tenuto:moved:subject", AFAR);
      const record = await agent.resync(desired);
      t.is(record.error, "");
      t.is(agent.status(interfaceKey("subject")).state, "CONFIGURED");
      t.is((await link("subject", options))?.ifindex, before);
      t.deepEqual(await namesAfar(), []);
      t.true(await isAsDesired());
    },
  );
}

test.serial(
  "a namespace with nothing but a rule outlives the agent, and is not made anew by the next one",
  async (t) => {
    const rule = wantRule({
      priority: 600,
      src_network: "10.85.0.0/16",
      table: 100,
      namespace: { type: "NSID", reference: "ruled" },
    });
    t.is((await agent.commit(rule)).error, "");
    for (let life = 0; life < 8; life++) {
      await agent.close();
      agent = await NetworkAgent.start("moved");
      t.deepEqual(operations(await agent.resync(rule)), []);
    }
  },
);
