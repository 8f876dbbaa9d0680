import { createHash, timingSafeEqual } from "node:crypto";
import { type Stats, statSync } from "node:fs";
import { errorMessage, InvalidInputError } from "#core/errors.js";
import { FileError, readSettingFile } from "#core/files/index.js";

/** Anything shorter can be guessed. */
const SHORTEST = 16;
const LONGEST = 4096;
/** Readable by everybody, or writable by anybody but the owner. */
const TOO_OPEN = 0o026;

/** The secret of a file, which is read again when the file changes. */
export class BearerToken {
  private digest: Buffer | undefined;
  private seen = "";

  /** `field`: where the configuration names the file. */
  constructor(
    private readonly path: string,
    private readonly field: string,
  ) {}

  /** Throws `InvalidInputError` when the file cannot be used. */
  check(): void {
    this.current();
  }

  /** Is it what an `Authorization` header gives? Takes as long whatever is wrong with it. Throws as {@link check}. */
  isGivenBy(authorization: string | undefined): boolean {
    const expected = this.current();
    const [, given = ""] = /^Bearer +([\x21-\x7e]+)$/i.exec(authorization ?? "") ?? [];
    return timingSafeEqual(digestOf(given), expected) && given !== "";
  }

  private current(): Buffer {
    try {
      const stamp = stampOf(statSync(this.path));
      if (this.digest === undefined || stamp !== this.seen) {
        this.digest = digestOf(this.read());
        this.seen = stamp;
      }
      return this.digest;
    } catch (cause) {
      this.digest = undefined;
      if (cause instanceof InvalidInputError) throw cause;
      if (cause instanceof FileError && cause.code === "EINVAL") throw this.unusable("is not a regular file", cause);
      throw this.unusable(`cannot be read: ${errorMessage(cause)}`, cause);
    }
  }

  private read(): string {
    const token = readSettingFile(this.path, (stats) => this.accept(stats))
      .toString("utf8")
      .trim();
    if (!/^[\x21-\x7e]+$/.test(token)) throw this.unusable("has to hold one line of printable ASCII");
    if (token.length < SHORTEST) throw this.unusable(`holds fewer than ${SHORTEST} characters`);
    return token;
  }

  /** What is checked is what is read. */
  private accept({ mode: bits, size }: Stats): void {
    const mode = (bits & 0o777).toString(8).padStart(4, "0");
    if ((bits & TOO_OPEN) !== 0) throw this.unusable(`has mode ${mode}; make it 0600, or 0640 for a group`);
    if (size > LONGEST) throw this.unusable(`has ${size} bytes, and a token has ${LONGEST} at most`);
  }

  private unusable(problem: string, cause?: unknown): InvalidInputError {
    return new InvalidInputError("BAD_TOKEN_FILE", `${this.field}: ${this.path} ${problem}`, {
      field: this.field,
      cause,
    });
  }
}

function digestOf(text: string): Buffer {
  return createHash("sha256").update(text).digest();
}

function stampOf({ mtimeMs, ctimeMs, ino, size }: Stats): string {
  return `${mtimeMs} ${ctimeMs} ${ino} ${size}`;
}
