import { type BigIntStats, constants } from "node:fs";
import { type FileHandle, open, readlink } from "node:fs/promises";
import { InvalidInputError } from "#core/errors.js";

/** Linux's O_PATH, which Node has no name for: a file is named and can be executed, but not read or written. */
const O_PATH = 0o10000000;
const WRITABLE_BY_GROUP = 0o020n;
const WRITABLE_BY_OTHERS = 0o002n;
const STICKY = 0o1000n;
const EXECUTABLE = 0o111n;
const PERMISSIONS = 0o7777n;
/** As many as the kernel follows (MAXSYMLINKS of include/linux/namei.h). */
const MOST_LINKS = 40;

/** A program that was found trustworthy. What is executed is the file that was checked, whatever its name leads to later. */
export interface TrustedProgram {
  /** Opened with O_PATH: to be executed by its descriptor. The caller closes it. */
  readonly file: FileHandle;
  /** Without symbolic links. */
  readonly path: string;
}

/**
 * Opens a program that nobody but root (or the agent's own user) can have put there: the file, every directory above it and every
 * symbolic link on the way belong to root, and neither group nor others can write them. Access control lists count:
 * what they grant shows in the permissions of the group (acl(5)). In a sticky directory such as /tmp others can write, but not
 * replace what root has there. Every step is taken from a directory that was opened and checked before, so nothing can be exchanged between the check
 * and the use. `within`: a directory that it must be in. Throws `InvalidInputError` (`HOOK_NOT_TRUSTED`) that names
 * what is open to others, with its mode.
 */
export async function openTrustedProgram(path: string, within: string | undefined): Promise<TrustedProgram> {
  const walk = new Walk(path);
  try {
    const program = await walk.toFile();
    if (within !== undefined && !(await isWithin(path, program.path, within))) {
      await program.file.close();
      throw distrust(path, `programs that a registration names must be in ${within} (ifmgr.hook_directory)`);
    }
    return program;
  } finally {
    await walk.close();
  }
}

async function isWithin(path: string, real: string, within: string): Promise<boolean> {
  const walk = new Walk(path);
  try {
    return real.startsWith(`${await walk.toDirectory(within)}/`);
  } finally {
    await walk.close();
  }
}

interface Step {
  readonly name: string;
  readonly handle: FileHandle;
  readonly isSticky: boolean;
}

/** From the root down, a component at a time. Holds every directory open until it is closed. */
class Walk {
  /** The directories from the root to where the walk is. */
  private readonly way: Step[] = [];
  private readonly opened: FileHandle[] = [];
  private links = 0;

  /** @param program is what messages are about. */
  constructor(private readonly program: string) {}

  async toFile(): Promise<TrustedProgram> {
    const { handle, stat, path } = await this.follow(this.program, "there is no such file");
    if (!stat.isFile() || (stat.mode & EXECUTABLE) === 0n) {
      throw distrust(this.program, `it is not an executable file (${modeOf(stat)})`);
    }
    this.opened.splice(this.opened.indexOf(handle), 1);
    return { file: handle, path };
  }

  /** The real path of a directory. */
  async toDirectory(directory: string): Promise<string> {
    return (await this.follow(directory, `there is no directory ${directory} (ifmgr.hook_directory)`)).path;
  }

  async close(): Promise<void> {
    await Promise.all(this.opened.map((handle) => handle.close()));
  }

  private async follow(path: string, missing: string) {
    this.enter("", "/", await this.open("/", missing));
    const names = componentsOf(path);
    for (let name = names.shift(); name !== undefined; name = names.shift()) {
      if (name === "..") {
        if (this.way.length > 1) this.way.pop();
        continue;
      }
      const parent = this.parent();
      const at = `/proc/self/fd/${parent.handle.fd}/${name}`;
      const found = await this.open(at, missing);
      const shown = this.pathOf(name);
      if (found.stat.isSymbolicLink()) {
        this.checkOwner(shown, found.stat, parent);
        this.links += 1;
        if (this.links > MOST_LINKS) throw distrust(this.program, `${shown} is one of more than ${MOST_LINKS} links`);
        const target = await readlink(at);
        if (target.startsWith("/")) this.way.length = 1;
        names.unshift(...componentsOf(target));
      } else if (found.stat.isDirectory()) {
        this.enter(name, shown, found);
      } else {
        this.check(shown, found.stat, parent);
        if (names.length > 0) throw distrust(this.program, `${shown} is no directory`);
        return { ...found, path: shown };
      }
    }
    const { handle } = this.parent();
    return { handle, stat: await handle.stat({ bigint: true }), path: this.pathOf() };
  }

  private enter(
    name: string,
    shown: string,
    { handle, stat }: { readonly handle: FileHandle; readonly stat: BigIntStats },
  ) {
    this.check(shown, stat, this.way.at(-1));
    this.way.push({ name, handle, isSticky: (stat.mode & STICKY) !== 0n });
  }

  private parent(): Step {
    const parent = this.way.at(-1);
    if (parent === undefined) throw distrust(this.program, "it is not below the root directory");
    return parent;
  }

  private async open(
    path: string,
    missing: string,
  ): Promise<{ readonly handle: FileHandle; readonly stat: BigIntStats }> {
    try {
      const handle = await open(path, O_PATH | constants.O_NOFOLLOW);
      this.opened.push(handle);
      return { handle, stat: await handle.stat({ bigint: true }) };
    } catch (cause) {
      const isMissing = cause instanceof Error && "code" in cause && cause.code === "ENOENT";
      throw distrust(this.program, isMissing ? missing : `it cannot be opened: ${String(cause)}`, cause);
    }
  }

  private check(shown: string, stat: BigIntStats, parent: Step | undefined): void {
    this.checkOwner(shown, stat, parent);
    if (stat.isDirectory() && (stat.mode & STICKY) !== 0n) return;
    if ((stat.mode & WRITABLE_BY_OTHERS) !== 0n) throw this.writable("anybody", shown, stat);
    if ((stat.mode & WRITABLE_BY_GROUP) !== 0n) throw this.writable(`group ${stat.gid}`, shown, stat);
  }

  /** Who owns a thing decides what it is. In a sticky directory others may have given a file of root's one more name. */
  private checkOwner(shown: string, stat: BigIntStats, parent: Step | undefined): void {
    if (stat.uid !== 0n && stat.uid !== BigInt(process.geteuid?.() ?? 0)) {
      throw distrust(this.program, `${shown} belongs to user ${stat.uid}, not to root (${modeOf(stat)})`);
    }
    if (parent?.isSticky === true && !stat.isDirectory() && stat.nlink > 1n) {
      throw distrust(this.program, `${shown} has more than one name, and others can give it one in that directory`);
    }
  }

  private writable(whom: string, shown: string, stat: BigIntStats): InvalidInputError {
    return distrust(this.program, `${whom} can write ${shown} (${modeOf(stat)}); take that away: chmod go-w ${shown}`);
  }

  private pathOf(name?: string): string {
    const names = this.way.slice(1).map((step) => step.name);
    return `/${[...names, ...(name === undefined ? [] : [name])].join("/")}`;
  }
}

function componentsOf(path: string): string[] {
  return path.split("/").filter((name) => name !== "" && name !== ".");
}

function modeOf({ mode }: BigIntStats): string {
  return `mode ${(mode & PERMISSIONS).toString(8).padStart(4, "0")}`;
}

function distrust(path: string, reason: string, cause?: unknown): InvalidInputError {
  return new InvalidInputError("HOOK_NOT_TRUSTED", `${path} is not run: ${reason}`, { cause });
}
