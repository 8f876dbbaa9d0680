/** Commits numbered transactions to an agent with the store given as argument until it is killed; says which are answered. */
import { writeSync } from "node:fs";
import { Agent } from "#core/agent/index.js";
import { flavor } from "#core/flavor/index.js";
import { MemoryBus, MemoryPlugin } from "#plugins/memory/index.js";
import { OrchestratorPlugin } from "#plugins/orchestrator/index.js";
import { StorePlugin } from "#plugins/store/index.js";
import { set } from "./agents.js";
import { Southbound, southboundPlugin } from "./southbound.js";

const [directory, first] = process.argv.slice(2);
const agent = new Agent({
  flavor: flavor("test", [StorePlugin, OrchestratorPlugin, southboundPlugin(new Southbound()), MemoryPlugin]),
  label: "t1",
  environment: {},
  configuration: { log: { level: "silent" }, store: { directory } },
});
await agent.start();
const bus = agent.get(MemoryBus);
for (let index = Number(first); ; index++) {
  const { outcome } = await bus.commit({ id: `t${index}`, changes: [set(`eth${index}`)] });
  writeSync(1, `${outcome} ${index}\n`);
}
