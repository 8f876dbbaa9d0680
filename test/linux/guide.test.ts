import { readFile } from "node:fs/promises";
import { join } from "node:path";
import test from "ava";
import { parse } from "yaml";
import type { Interface, Route } from "#proto/index.js";
import { projectRoot } from "#test/support/project.js";
import { run } from "#test/support/sandbox.js";
import { NetworkAgent, states, wantInterface, wantRouteWithoutInterface } from "./support/network.js";

interface Document {
  readonly linuxConfig: {
    readonly interfaces: readonly (Interface & { readonly name: string })[];
    readonly routes: readonly Route[];
  };
}

test("the example of docs/linux.md works", async (t) => {
  const guide = await readFile(join(projectRoot, "docs/linux.md"), "utf8");
  const [, example = ""] = /```yaml\n(.*?)```/s.exec(guide) ?? [];
  const { linuxConfig }: Document = parse(example);
  const agent = await NetworkAgent.start("guide");
  t.teardown(() => agent.close());
  const all = [...linuxConfig.interfaces.map(wantInterface), ...linuxConfig.routes.map(wantRouteWithoutInterface)];
  const record = await agent.commit(...all.reverse());
  for (const [key] of all) t.is(states(record)[key], "CONFIGURED");
  await t.notThrowsAsync(run(["ping", "-c1", "-W5", "192.0.2.1"], { namespace: "web" }));
  await agent.resync();
});
