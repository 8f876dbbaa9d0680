import { createHash } from "node:crypto";
import { closeSync, constants, existsSync, mkdirSync, openSync, readFileSync, writeSync } from "node:fs";
import { join, resolve } from "node:path";
import { socketDirectory } from "#core/agent/socket-path.js";
import { isMissing } from "./errors.js";

/** Stands for an agent that ran without its store. */
export const NO_STORE = "-";

const RECORD = /^(\S+) +(\d+)\n/;
const IDENTITY_WIDTH = 36;
const NUMBER_WIDTH = 20;
/** In place of a descriptor. */
const NOT_WRITABLE = -1;

/**
 * Which write to a store was the last one, noted outside of the store: where it lasts as long as what the kernel has, until the host is
 * started again (`/run`). A store that is behind it, or is another one, knows less than the agent did that made what is in the kernel: it was
 * replaced by an older copy, could not be written, or was switched off.
 *
 * Where there is no such place that may be written the agent does without.
 */
export class Witness {
  private descriptor: number | undefined;

  private constructor(private readonly path: string) {}

  /** That of the store in a directory. */
  static of(directory: string): Witness {
    const name = createHash("sha256").update(resolve(directory)).digest("hex").slice(0, 32);
    return new Witness(join(socketDirectory(), "stores", name));
  }

  /** Why a store whose last write this was is not the one that was used last; `undefined` when nothing speaks against it. */
  objection(identity: string, commit: number): string | undefined {
    const noted = this.read();
    if (noted === undefined) return undefined;
    if (noted.identity === NO_STORE) return "the agent ran without its store meanwhile";
    if (noted.identity !== identity) return "the store is not the one that was used last";
    const missing = noted.commit - commit;
    return missing > 0 ? `the store is an older copy or could not be written, and lacks ${writes(missing)}` : undefined;
  }

  note(identity: string, commit: number): void {
    this.descriptor ??= open(this.path);
    if (this.descriptor === NOT_WRITABLE) return;
    const record = `${identity.padEnd(IDENTITY_WIDTH)} ${String(commit).padStart(NUMBER_WIDTH, "0")}\n`;
    try {
      writeSync(this.descriptor, record, 0, "ascii");
    } catch {
      // What is noted is older now, and proves nothing against the store.
      this.close();
      this.descriptor = NOT_WRITABLE;
    }
  }

  close(): void {
    if (this.descriptor !== undefined && this.descriptor !== NOT_WRITABLE) closeSync(this.descriptor);
    this.descriptor = undefined;
  }

  private read(): { readonly identity: string; readonly commit: number } | undefined {
    try {
      const [, identity, commit] = RECORD.exec(readFileSync(this.path, "ascii")) ?? [];
      return identity === undefined ? undefined : { identity, commit: Number(commit) };
    } catch (error) {
      if (isMissing(error)) return undefined;
      throw error;
    }
  }
}

/** Says that an agent runs without the store in a directory, if there is one. */
export function noteRunWithout(directory: string): void {
  if (!existsSync(directory)) return;
  const witness = Witness.of(directory);
  witness.note(NO_STORE, 0);
  witness.close();
}

/** `NOT_WRITABLE` when it may not be written. */
function open(path: string): number {
  try {
    mkdirSync(join(path, ".."), { recursive: true, mode: 0o755 });
    return openSync(path, constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW, 0o600);
  } catch {
    return NOT_WRITABLE;
  }
}

function writes(count: number): string {
  return count === 1 ? "the last write" : `the last ${count} writes`;
}
