/** Writes numbered values into the store given as argument until it is killed, and says which ones are acknowledged. */
import { writeSync } from "node:fs";
import { Agent } from "#core/agent/index.js";
import { flavor } from "#core/flavor/index.js";
import { Store, StorePlugin } from "#plugins/store/index.js";
import { answer, values } from "./support.js";

const [directory, first] = process.argv.slice(2);
const agent = new Agent({
  flavor: flavor("test", [StorePlugin]),
  label: "writer",
  environment: {},
  configuration: { log: { level: "silent" }, store: { directory } },
});
await agent.start();
const store = agent.get(Store);
for (let index = Number(first); ; index++) {
  await store.write({ ...values({ [`config/${index}`]: { index } }), result: answer(`r${index}`) });
  writeSync(1, `acknowledged ${index}\n`);
}
