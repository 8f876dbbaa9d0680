import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import test from "ava";
import { projectRoot } from "#test/support/project.js";
import { readSteps, Scenario } from "./scenario.js";

// Every file of scenarios/ is a test, named by its first line. See scenarios/README.md.

const folder = join(projectRoot, "test/core-scheduler/scenarios");

for (const file of readdirSync(folder).filter((name) => name.endsWith(".txt"))) {
  const text = readFileSync(join(folder, file), "utf8");
  const title = text.split("\n", 1)[0]?.replace(/^#\s*/, "");
  test(`${file}: ${title}`, async (t) => {
    const scenario = new Scenario();
    for (const step of readSteps(text)) {
      const expectation = await scenario.play(step);
      if (expectation === undefined) continue;
      t.deepEqual(expectation.found, expectation.expected, `${file}, line ${step.line}: ${step.text}`);
    }
    t.deepEqual(scenario.violations, [], "something was in the southbound without what it needs");
    await scenario.close();
  });
}
