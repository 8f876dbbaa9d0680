import { existsSync } from "node:fs";
import test from "ava";
import { defaultSocketPath } from "#core/agent/socket-path.js";
import { localAgent } from "#test/http/local-agent.js";
import { run } from "#test/support/sandbox.js";
import { tenuto } from "#test/support/tenuto.js";

test.serial("an agent is found by its label, and without one when it is the only one", async (t) => {
  const none = await tenuto(["status"]);
  t.is(none.status, 1);
  t.regex(none.stderr, /no agent is listening on /);

  await localAgent(t, { socket: defaultSocketPath("alone") });
  t.is((await tenuto(["status"])).status, 0);
  t.is((await tenuto(["status", "--label", "alone"])).status, 0);
  t.is((await tenuto(["status"], { env: { TENUTO_LABEL: "alone" } })).status, 0);
  t.is((await tenuto(["status", "--label", "other"])).status, 1);

  // What an agent leaves behind that is killed.
  const dead = defaultSocketPath("dead");
  await run([
    "node",
    "-e",
    "net.createServer().listen(process.argv[1], () => process.kill(process.pid, 'SIGKILL'))",
    dead,
  ]).catch(() => undefined);
  t.true(existsSync(dead));
  t.is((await tenuto(["status"])).status, 0);

  await localAgent(t, { socket: defaultSocketPath("second") });
  const unclear = await tenuto(["status"]);
  t.is(unclear.status, 1);
  t.regex(unclear.stderr, /several agents run here \(alone, second\); say which one with --label/);
  t.is((await tenuto(["status", "--label", "second"])).status, 0);
});
