import test from "ava";
import { fuzz } from "./fuzz.js";
import { regressions } from "./regressions.js";
import { targets } from "./targets.js";

for (const target of targets) {
  test(`${target.name}: no input throws what it should not, or takes longer than 100 ms`, async (t) => {
    const { findings } = await fuzz(target, { inputs: 400, seed: 1 });
    t.deepEqual(findings, []);
  });
}

for (const [title, name, input] of regressions) {
  test(`${name}: ${title} is no fault any more`, async (t) => {
    const target = targets.find((one) => one.name === name);
    await t.notThrowsAsync(async () => await target?.run(Buffer.from(input)));
  });
}
