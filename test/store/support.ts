import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ExecutionContext } from "ava";
import { Agent } from "#core/agent/index.js";
import { flavor } from "#core/flavor/index.js";
import type { TransactionResult } from "#core/northbound/index.js";
import { Store, StorePlugin } from "#plugins/store/index.js";

export interface OpenStore {
  readonly agent: Agent;
  readonly store: Store;
}

/** A directory that is gone after the test. */
export function temporaryDirectory(t: ExecutionContext): string {
  const directory = mkdtempSync(join(tmpdir(), "tenuto-store-"));
  t.teardown(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

/** A store alone in an agent. Closed after the test. */
export async function openStore(
  t: ExecutionContext,
  section: Readonly<Record<string, unknown>>,
  label = "t1",
): Promise<OpenStore> {
  const agent = new Agent({
    flavor: flavor("test", [StorePlugin]),
    label,
    environment: {},
    configuration: { log: { level: "silent" }, store: section },
  });
  t.teardown(() => agent.close());
  await agent.start();
  return { agent, store: agent.get(Store) };
}

export function values(entries: Readonly<Record<string, object | undefined>>, source = "store") {
  return { values: { source, changes: new Map(Object.entries(entries)) } };
}

export function answer(id: string, fields: Partial<TransactionResult> = {}): TransactionResult {
  return { id, seq: 1, outcome: "APPLIED", error: "", values: [], operations: [], ...fields };
}

/** What a store has loaded, as plain objects. */
export function contentOf({ store }: OpenStore): Readonly<Record<string, Readonly<Record<string, object>>>> {
  return Object.fromEntries([...store.loaded()].map(([source, loaded]) => [source, Object.fromEntries(loaded)]));
}
