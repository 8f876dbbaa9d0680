import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "ava";
import { Agent } from "#core/agent/index.js";
import { flavor } from "#core/flavor/index.js";
import { Scheduler } from "#core/scheduler/index.js";
import { InterfaceStatePlugin } from "#plugins/interface-state/index.js";
import { linux } from "#plugins/linux/index.js";
import { NetlinkPlugin } from "#plugins/netlink/index.js";
import { StorePlugin } from "#plugins/store/index.js";
import type { Desired } from "#test/linux/support/network.js";
import { Recorder } from "#test/linux/support/recorder.js";
import { eventually } from "#test/support/eventually.js";
import { run } from "#test/support/sandbox.js";
import { pair } from "./support/watched.js";

test("an interface that went while the agent was away is told as deleted when it is back", async (t) => {
  const directory = await mkdtemp(join(tmpdir(), "tenuto-told-"));
  t.teardown(() => rm(directory, { recursive: true }));
  const start = async (...desired: readonly Desired[]) => {
    const recorder = new Recorder();
    const agent = new Agent({
      flavor: flavor("told", [NetlinkPlugin, StorePlugin, linux, InterfaceStatePlugin, recorder.plugin]),
      label: "told",
      configuration: { log: { level: "silent" }, store: { directory } },
      environment: {},
    });
    t.teardown(() => agent.close());
    await agent.start();
    await agent.get(Scheduler).commit({ changes: desired, kind: "full-resync" });
    const story = (name: string) =>
      recorder
        .of("interface")
        .filter((event) => event.name === name)
        .map(({ data, deleted }) => `${(data as { type: string }).type}${deleted ? " deleted" : ""}`);
    return { agent, story };
  };
  const stays = pair("stays", "stays-far");
  const first = await start(...stays, ...pair("goes", "goes-far"));
  await eventually(() => ["stays", "goes"].every((name) => first.story(name).length > 0));
  await first.agent.close();
  t.false(first.story("goes").includes("UPDOWN deleted"));
  await run(["ip", "link", "delete", "goes"]);

  const second = await start(...stays);
  await eventually(() => second.story("goes").length > 0 && second.story("stays").length > 0);
  t.deepEqual(second.story("goes"), ["UPDOWN deleted"]);
  t.is(second.story("stays")[0], "SNAPSHOT");
  t.false(second.story("stays").includes("UPDOWN deleted"));
  await second.agent.close();

  const third = await start(...stays);
  await eventually(() => third.story("stays").length > 0);
  t.deepEqual(third.story("goes"), []);
});
