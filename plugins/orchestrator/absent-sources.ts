import type { Store } from "#plugins/store/index.js";
import type { OrphanMark } from "./orphan-mark.js";

const NOTE = "orchestrator/sources";

/** What is remembered of a source, by its name. */
interface Known {
  readonly priority: number;
  /** RFC 3339, when it was first found to be gone from the flavor. */
  readonly absentSince?: string;
}

/** A source whose values are in the store and which is not in the flavor any more. */
export interface AbsentSource {
  readonly name: string;
  readonly priority: number;
  readonly values: ReadonlyMap<string, object>;
  /** Its values stay: it did not say that it gives them up. */
  readonly mark: OrphanMark;
}

/** The sources whose values the store has and the flavor has not, and the note that remembers them. */
export function absentSources(
  store: Pick<Store, "loaded" | "notes">,
  present: readonly { readonly name: string; readonly priority: number }[],
): { readonly absent: readonly AbsentSource[]; readonly notes: ReadonlyMap<string, unknown> } {
  const before = knownIn(store.notes().get(NOTE));
  const names = new Set(present.map(({ name }) => name));
  const now = new Date().toISOString();
  const absent: AbsentSource[] = [];
  for (const [name, values] of store.loaded()) {
    if (names.has(name)) continue;
    const { priority = 0, absentSince: since = now } = before[name] ?? {};
    const reason = "the source is not in the flavor any more";
    absent.push({ name, priority, values, mark: { reason, since } });
  }
  const known = Object.fromEntries<Known>([
    ...present.map(({ name, priority }) => [name, { priority }] as const),
    ...absent.map(({ name, priority, mark }) => [name, { priority, absentSince: mark.since }] as const),
  ]);
  return { absent, notes: new Map([[NOTE, known]]) };
}

function knownIn(note: unknown): Readonly<Record<string, Known>> {
  return typeof note === "object" && note !== null ? (note as Readonly<Record<string, Known>>) : {};
}
