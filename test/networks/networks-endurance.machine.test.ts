/** Networks as people run them, on the kernel of the machine. */
import test from "ava";
import { isLong } from "#test/support/counts.js";
import { machine } from "./machine.js";
import { Story } from "./support/story.js";

/** That with the most types; the others take their time. */
const SHORT: ReadonlySet<string> = new Set(["bond-bridge"]);

let story: Story;
test.before(async () => {
  story = await Story.begin("networks");
});
test.after.always(() => story.end());

for (const network of machine.filter(({ name }) => isLong || SHORT.has(name))) {
  test.serial(`${network.name}: made, killed, changed, disturbed and removed`, (t) => story.tell(t, network));
}
