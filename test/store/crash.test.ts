import test from "ava";
import { Child } from "#test/support/child.js";
import { contentOf, openStore, temporaryDirectory } from "./support.js";

const WRITER = new URL("./writer-process.js", import.meta.url).pathname;
const ROUNDS = 5;

test("a process killed at any moment loses nothing that was acknowledged, and damages nothing", async (t) => {
  const directory = temporaryDirectory(t);
  let next = 0;
  for (let round = 0; round < ROUNDS; round++) {
    const child = await Child.start([process.execPath, WRITER, directory, String(next)]);
    await child.logged(new RegExp(`acknowledged ${next + 10 + round * 7}\n`), 120_000);
    await child.kill();
    const acknowledged = Number(/.*acknowledged (\d+)\n/s.exec(child.log)?.[1]);

    const opened = await openStore(t, { directory });
    t.false(opened.store.damaged, child.log);
    const written = Object.keys(contentOf(opened).store ?? {}).length;
    t.true(written === acknowledged + 1 || written === acknowledged + 2, `${written} after ${acknowledged}`);
    for (const id of [0, acknowledged]) t.is((await opened.store.result(`r${id}`))?.id, `r${id}`);
    await opened.agent.close();
    next = written;
  }
});
