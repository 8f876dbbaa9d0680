import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import test from "ava";
import { Child } from "#test/support/child.js";
import { run } from "#test/support/sandbox.js";
import { set, startAgent, temporaryDirectory } from "./support/agents.js";

const COMMITTER = new URL("./support/committing-process.js", import.meta.url).pathname;

test("an agent killed in a stream of transactions comes back with all it has answered, and answers them the same", async (t) => {
  const store = temporaryDirectory(t);
  let next = 0;
  let lastNumber = 0;
  for (const length of [1, 20, 50]) {
    const child = await Child.start([process.execPath, COMMITTER, store, String(next)]);
    await child.logged(new RegExp(`APPLIED ${next + length}\n`), 120_000);
    await child.kill();
    const answered = Number(/.*APPLIED (\d+)\n/s.exec(child.log)?.[1]);

    const { agent, southbound, commit } = await startAgent(t, { store });
    next = southbound.names().length;
    t.true(next > answered, `${next} values, ${answered} was answered`);
    const operations = southbound.operations.length;
    for (const index of [0, answered]) {
      const answer = await commit({ id: `t${index}`, changes: [set("other")] });
      t.like(answer, { outcome: "APPLIED", values: [{ state: "CONFIGURED" }] });
    }
    t.is(southbound.operations.length, operations);
    const { seq: numberOfAnswered } = await commit({ id: `t${answered}`, changes: [set("other")] });
    const { seq: number } = await commit({ changes: [set("eth0", { mtu: 1000 + length })] });
    t.true(lastNumber < numberOfAnswered && numberOfAnswered < number, "numbers go on over a crash");
    lastNumber = number;
    await agent.close();
  }
});

test("an answer that cannot be stored says so", async (t) => {
  const parent = temporaryDirectory(t);
  await run(["mount", "-t", "tmpfs", "-o", "size=2m", "tenuto-test", parent]);
  t.teardown(() => run(["umount", "--lazy", parent]));
  const store = join(parent, "store");
  mkdirSync(store);
  const { commit, southbound } = await startAgent(t, { store });
  writeFileSync(join(parent, "ballast"), Buffer.alloc(1_900_000));
  const changes = Array.from({ length: 3000 }, (_, index) => set(`eth${index}`, { host_if_name: "x".repeat(100) }));
  const result = await commit({ changes });
  t.is(result.outcome, "PARTIAL");
  t.regex(result.error, /not stored, a restart of the agent would forget it: .*space/i);
  t.is(southbound.names().length, 3000);
});
