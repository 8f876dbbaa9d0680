import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ExecutionContext } from "ava";
import { Health } from "#core/health/index.js";
import type { DeadLetter } from "#core/northbound/index.js";
import { FilePlugin } from "#plugins/file/index.js";
import { startAgent, type TestAgent } from "#test/orchestrator/support/agents.js";
import type { Southbound } from "#test/orchestrator/support/southbound.js";

export function temporaryDirectory(t: ExecutionContext): string {
  const directory = mkdtempSync(join(tmpdir(), "tenuto-file-"));
  t.teardown(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

export interface FileAgentOptions {
  readonly southbound?: Southbound;
  readonly store?: string;
  readonly section?: Readonly<Record<string, unknown>>;
}

export function startWithFiles(
  t: ExecutionContext,
  path: string,
  { section, ...options }: FileAgentOptions = {},
): Promise<TestAgent> {
  const configuration = {
    file: { path, settle: "20ms", ...section },
    ...(options.store === undefined ? { store: { enabled: false } } : {}),
  };
  return startAgent(t, { ...options, plugins: [FilePlugin], configuration });
}

export function healthOf({ agent }: TestAgent) {
  return agent
    .get(Health)
    .plugins()
    .find(({ plugin }) => plugin === "file");
}

export function deadLetters({ events }: TestAgent): readonly DeadLetter[] {
  return events.flatMap(({ event }) => (event.kind === "deadletter" ? [event.data] : []));
}

/** A document with a dummy interface of each name. */
export function interfaces(...names: readonly string[]): string {
  return `linuxConfig:\n  interfaces:\n${names.map((name) => `    - {name: ${name}, type: DUMMY}\n`).join("")}`;
}
