// A process with many agents: fleet-process.js URL DIRECTORY FIRST COUNT. They are called fleet-<number>.
import { join } from "node:path";
import { Agent } from "#core/agent/index.js";
import { flavor } from "#core/flavor/index.js";
import { NatsPlugin } from "#plugins/nats/index.js";
import { OrchestratorPlugin } from "#plugins/orchestrator/index.js";
import { StorePlugin } from "#plugins/store/index.js";
import { MemoryInterfaces } from "./fleet-southbound.js";

const [url = "", directory = "", first = "0", count = "0"] = process.argv.slice(2);
const fleet = flavor("fleet", [StorePlugin, OrchestratorPlugin, MemoryInterfaces, NatsPlugin]);
const agents = Array.from({ length: Number(count) }, (_, index) => {
  const label = `fleet-${Number(first) + index}`;
  const configuration = { log: { level: "error" }, store: { directory: join(directory, label) }, nats: { url } };
  return new Agent({ flavor: fleet, label, configuration, environment: {} });
});
for (const agent of agents) await agent.start();
console.log("ready");
process.once("SIGTERM", () => void Promise.all(agents.map((agent) => agent.close())));
