/** Networks as people run them, on the kernel of the machine. There an agent that is a process of its own takes its time to start. */
import test from "ava";
import { isLong } from "#test/support/counts.js";
import { NetworkAgent } from "../linux/support/network.js";
import { machine } from "./machine.js";
import type { Scale } from "./scale.js";
import { tellShortly } from "./support/short.js";
import { Story } from "./support/story.js";

const SCALE: Scale = { vlans: 1_000, vrfs: 200, peers: 1_000 };

if (isLong) {
  let story: Story;
  test.before(async () => {
    story = await Story.begin("networks");
  });
  test.after.always(() => story.end());
  for (const network of machine) {
    test.serial(`${network.name}: made, killed, changed, disturbed and removed`, (t) => story.tell(t, network));
  }
  test.serial("scale: 1,000 VLANs, 200 VRFs, 1,000 WireGuard peers", (t) => story.tellScale(t, SCALE));
} else {
  // That with the most types.
  for (const network of machine.filter(({ name }) => name === "bond-bridge")) {
    test.serial(`${network.name}: packets pass, and iproute2 sees what the agent does`, async (t) => {
      const agent = await NetworkAgent.start("networks");
      t.teardown(async () => {
        await agent.resync();
        await agent.close();
      });
      await tellShortly(t, agent, network);
    });
  }
}
