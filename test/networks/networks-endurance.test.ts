/** Networks as people run them, on this kernel; those that need another one are in the file for the machine. */
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import test from "ava";
import { readTransaction } from "#cli/documents.js";
import { isLong } from "#test/support/counts.js";
import { projectRoot } from "#test/support/project.js";
import { here } from "./here.js";
import { machine } from "./machine.js";
import { Story } from "./support/story.js";

const EXAMPLES = join(projectRoot, "examples/networks");

/** Those that touch the most; the others take their time. */
const SHORT: ReadonlySet<string> = new Set(["container-attach", "two-providers"]);

test("every example has its story, and the program takes it as it is", async (t) => {
  const files = await readdir(EXAMPLES);
  const examples = files.filter((file) => file.endsWith(".yaml")).sort();
  t.deepEqual(examples, [...here, ...machine].map(({ name }) => `${name}.yaml`).sort());
  const list = await readFile(join(EXAMPLES, "README.md"), "utf8");
  for (const file of examples) {
    t.true((await readTransaction([join(EXAMPLES, file)])).changes.length > 0, file);
    t.true(list.includes(`](${file})`), `README.md names ${file}`);
  }
});

let story: Story;
test.before(async () => {
  story = await Story.begin("networks");
});
test.after.always(() => story.end());

for (const network of here.filter(({ name }) => isLong || SHORT.has(name))) {
  test.serial(`${network.name}: made, killed, changed, disturbed and removed`, (t) => story.tell(t, network));
}
