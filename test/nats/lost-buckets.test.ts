/** A bucket that comes back with less than it had: what is kept, what is given up, and what is said of it. */
import { cp } from "node:fs/promises";
import { join } from "node:path";
import test from "ava";
import { Health } from "#core/health/types.js";
import { Northbound } from "#core/northbound/index.js";
import { configBucketKey } from "#proto/nats.js";
import { eventually } from "#test/support/eventually.js";
import { type BusAgent, type BusAgentOptions, busAgent, vethKey } from "./support/agent.js";
import { ALL, ALL_LOSSES, directory, FAST, LABEL, type Scene, scene } from "./support/bucket-losses.js";

function desired({ agent }: BusAgent): readonly string[] {
  const values = agent.get(Northbound).get();
  return values.map(({ key }) => key.split("/").at(-1)!).toSorted();
}

function saidOf({ agent }: BusAgent): string {
  const health = agent
    .get(Health)
    .plugins()
    .find(({ plugin }) => plugin === "orchestrator");
  return health?.state === "ok" ? "" : (health?.reason ?? "");
}

/** The record in the bucket covers everything that was written before, and the agent knows that it is there. */
async function recorded(at: Scene): Promise<void> {
  await eventually(
    async () => {
      const entry = await (await at.bucket()).get(`${LABEL}.tenuto/epoch`);
      const last = await (await at.bucket()).get(configBucketKey(LABEL, vethKey("c")));
      return entry !== null && last !== null && entry.revision > last.revision;
    },
    { what: "the record of what was read" },
  );
}

for (const when of ["connected", "off"] as const) {
  for (const loss of ALL_LOSSES) {
    if (loss.only !== undefined && loss.only !== when) continue;
    test(`${when}: ${loss.title}`, async (t) => {
      const readOnly = loss.readOnly === true;
      const at = await scene(t, readOnly, when === "connected");
      const options: BusAgentOptions = {
        label: LABEL,
        nats: { url: at.server.url, ...FAST, ...(readOnly ? { user: "agent", password: "x" } : {}), ...loss.nats },
        configuration: { store: { directory: join(await directory(t), "store") } },
      };
      await at.put("a", "deleted");
      await at.delete("deleted");
      await at.put("deleted", "gone");
      await at.delete("gone");
      let agent = await busAgent(t, options);
      await eventually(() => desired(agent).join() === "a,deleted");
      await at.whileStopped(() => cp(at.data, at.earlier, { recursive: true }));
      await at.delete("deleted");
      await at.put("b", "c");
      await eventually(() => desired(agent).join() === ALL.join());
      if (!readOnly) await recorded(at);

      if (when === "off") await agent.close();
      await loss.damage(at);
      if (when === "off") agent = await busAgent(t, options);
      const { told } = loss;
      await eventually(
        () => {
          const found = `${desired(agent).join()} ${saidOf(agent)}`;
          const fits = desired(agent).join() === loss.end.join() && (told?.test(saidOf(agent)) ?? saidOf(agent) === "");
          if (!fits) throw new Error(found);
          return true;
        },
        { what: `${loss.end.join()}, told as ${told}`, timeout: 60_000 },
      );
      await at.put("later");
      await eventually(() => desired(agent).includes("later"));
      t.deepEqual(desired(agent), [...loss.end, "later"].toSorted());
    });
  }
}
