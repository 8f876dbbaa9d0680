import { writeFileSync } from "node:fs";
import { join } from "node:path";
import test from "ava";
import { set } from "#test/orchestrator/support/agents.js";
import { eventually } from "#test/support/eventually.js";
import { mountHungFileSystem, whyNoHungFileSystem } from "#test/support/hung-file-system.js";
import { healthOf, interfaces, startWithFiles, temporaryDirectory } from "./support.js";

const hung = whyNoHungFileSystem() === undefined ? test : test.skip;

hung("a directory whose file server does not answer holds nothing up, and is read when it is another", async (t) => {
  const path = join(temporaryDirectory(t), "desired");
  const end = mountHungFileSystem(path);
  t.teardown(end);
  const started = await startWithFiles(t, path);
  const reason = /the file system of .*desired has not answered for 5000 ms/;
  await eventually(() => reason.test(healthOf(started)?.reason ?? ""), { what: String(reason) });
  await started.commit({ changes: [set("eth9")] });
  t.deepEqual(started.southbound.names(), ["eth9"]);
  end();
  writeFileSync(join(path, "a.yaml"), interfaces("eth1"));
  await eventually(() => started.southbound.names().join() === "eth1,eth9");
  t.like(healthOf(started), { state: "ok" });
});
