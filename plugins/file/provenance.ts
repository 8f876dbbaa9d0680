import { z } from "zod";
import { type Absence, type SourceItem, type SourcePosition, storedPosition } from "#core/northbound/index.js";

/**
 * Stored with the values of the files. The keys of the file with the most of them are not listed: they are those of no other file. A
 * large file alone needs no list then.
 */
const positionSchema = z.object({
  files: z.record(z.string(), z.union([z.array(z.string()), z.literal("the others")])),
});

/** Where values came from that were stored before this was. */
const EARLIER = "the file of an earlier run";

export type KeysByFile = ReadonlyMap<string, ReadonlySet<string>>;

/** What a reading means, compared with what was known before. */
export interface DirectoryReading {
  readonly absence: Absence;
  /** Keys that were taken out of files that are there and say something: that is a wish. */
  readonly removed: readonly SourceItem[];
  /** Files that are gone or say nothing, and whose values stay. */
  readonly lost: readonly string[];
  readonly files: KeysByFile;
}

/**
 * Which file each value came from. A file that is there and says something says everything that it wants; one that is gone or
 * empty is a loss, and what it said before stays until a file says otherwise.
 */
export class Provenance {
  private files: KeysByFile;

  /** @param held keys of the values that came from files, those that were lost included. */
  constructor(
    stored: SourcePosition | undefined,
    private readonly held: () => ReadonlySet<string>,
  ) {
    const files = new Map<string, ReadonlySet<string>>();
    const others = new Set(held());
    let largest = EARLIER;
    for (const [file, keys] of Object.entries(storedPosition(positionSchema, stored)?.files ?? {})) {
      if (keys === "the others") largest = file;
      else files.set(file, new Set(keys));
    }
    for (const keys of files.values()) for (const key of keys) others.delete(key);
    if (others.size > 0 || largest !== EARLIER) files.set(largest, others);
    this.files = files;
  }

  /**
   * @param files the keys of each file that says something.
   * @param missing what becomes of the values of the others: `remove` takes their absence for a wish.
   */
  compare(files: KeysByFile, missing: "keep" | "remove"): DirectoryReading {
    const next = new Map(files);
    const removed: SourceItem[] = [];
    const lost: string[] = [];
    for (const [file, keys] of this.absent(files)) {
      if (files.has(file)) removed.push(...keys.map((key) => ({ key, value: undefined, origin: file })));
      else if (missing === "keep" && keys.length > 0) {
        lost.push(file);
        next.set(file, new Set(keys));
      }
    }
    if (lost.length === 0) return { absence: { kind: "complete" }, removed: [], lost, files: next };
    const reason = `${lost.join(", ")} ${lost.length === 1 ? "is" : "are"} gone or empty`;
    return { absence: { kind: "unknown", reason }, removed, lost, files: next };
  }

  /** Does a file that is there say less than before? */
  shrinks(files: KeysByFile): boolean {
    for (const [file, keys] of this.absent(files)) if (files.has(file) && keys.length > 0) return true;
    return false;
  }

  /** The reading was delivered. */
  accept({ files }: DirectoryReading): void {
    this.files = files;
  }

  /** What files said before and none says now, without what nobody wants any more because an operator or a request said so. */
  private *absent(files: KeysByFile): Generator<readonly [file: string, keys: readonly string[]]> {
    const held = this.held();
    const said = new Set([...files.values()].flatMap((keys) => [...keys]));
    for (const [file, keys] of this.files) yield [file, [...keys].filter((key) => !said.has(key) && held.has(key))];
  }
}

export function positionOf({ files }: DirectoryReading): SourcePosition {
  let largest = "";
  for (const [file, keys] of files) if (keys.size > (files.get(largest)?.size ?? -1)) largest = file;
  const listed = [...files].map(([file, keys]) => [file, file === largest ? "the others" : [...keys]] as const);
  return { files: Object.fromEntries(listed) } satisfies z.infer<typeof positionSchema>;
}
