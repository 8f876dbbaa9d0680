import { closeSync, constants, openSync, readFileSync, writeSync } from "node:fs";
import { isMissing } from "./errors.js";

const WIDTH = 20;

/**
 * The number of the last write that was reported as done, in a file beside the database. It is written after the
 * database's fsync and not synchronised itself, so it is never ahead of a healthy database, also after a power failure. A
 * database that is behind it has lost something that was promised to be there.
 */
export class AcknowledgedWrites {
  private constructor(private readonly descriptor: number) {}

  /** Opens the file for writing; made when it is missing. */
  static open(path: string): AcknowledgedWrites {
    return new AcknowledgedWrites(openSync(path, constants.O_RDWR | constants.O_CREAT, 0o600));
  }

  /** 0 when there is no such file, or nothing readable in it. */
  static read(path: string): number {
    try {
      const commit = Number.parseInt(readFileSync(path, "ascii"), 10);
      return Number.isSafeInteger(commit) ? commit : 0;
    } catch (error) {
      if (isMissing(error)) return 0;
      throw error;
    }
  }

  set(commit: number): void {
    writeSync(this.descriptor, `${String(commit).padStart(WIDTH - 1, "0")}\n`, 0, "ascii");
  }

  close(): void {
    closeSync(this.descriptor);
  }
}
