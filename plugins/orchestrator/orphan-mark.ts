/** Why a value is orphaned: still desired, or still there, though nobody asks for it any more and nobody gave it up. */
export interface OrphanMark {
  /** Why its source lacks it. */
  readonly reason: string;
  /** RFC 3339. */
  readonly since: string;
}

const NOTE = "orphaned/";

/** Name of the store's note that marks a value of a source. */
export function orphanNote(source: string, key: string): string {
  return `${NOTE}${source}/${key}`;
}

/** The marks among the store's notes, by key, of each source. */
export function storedMarks(notes: ReadonlyMap<string, unknown>): ReadonlyMap<string, ReadonlyMap<string, OrphanMark>> {
  const marks = new Map<string, Map<string, OrphanMark>>();
  for (const [name, note] of notes) {
    if (!name.startsWith(NOTE) || !isMark(note)) continue;
    const slash = name.indexOf("/", NOTE.length);
    const source = name.slice(NOTE.length, slash);
    const ofSource = marks.get(source) ?? new Map<string, OrphanMark>();
    marks.set(source, ofSource.set(name.slice(slash + 1), note));
  }
  return marks;
}

/** Of a value that its source has lost, as the details of a status say it. */
export function lostDetail(source: string, { reason, since }: OrphanMark): string {
  return `orphaned since ${toSeconds(since)}: source ${source} has lost it: ${reason}`;
}

/** Of a value that was found in the southbound. */
export function foundDetail({ reason, since }: OrphanMark): string {
  return `orphaned since ${toSeconds(since)}: found, and nobody asks for it: ${reason}`;
}

function toSeconds(time: string): string {
  return time.replace(/\.\d+Z$/, "Z");
}

export function isMark(note: unknown): note is OrphanMark {
  return typeof note === "object" && note !== null && "reason" in note && "since" in note;
}
