import { readdir, readFile, readlink, realpath } from "node:fs/promises";

/** O_ACCMODE: O_WRONLY or O_RDWR. */
const WRITING = 0o3;

/**
 * Which of these files some process has open for writing, as far as this one may look (proc_pid_fd(5)). To be asked rarely: it looks through
 * the descriptors of every process.
 */
export async function beingWritten(files: readonly string[]): Promise<string | undefined> {
  const paths = new Map<string, string>();
  for (const file of files) paths.set(await realpath(file).catch(() => file), file);
  for (const pid of await readdir("/proc")) {
    if (!/^\d+$/.test(pid)) continue;
    for (const fd of await names(`/proc/${pid}/fd`)) {
      const file = paths.get(await readlink(`/proc/${pid}/fd/${fd}`).catch(() => ""));
      if (file !== undefined && (await isWriting(`/proc/${pid}/fdinfo/${fd}`))) return file;
    }
  }
  return undefined;
}

/** None of a process that has ended, or that this one may not look at. */
function names(directory: string): Promise<readonly string[]> {
  return readdir(directory).catch(() => []);
}

async function isWriting(info: string): Promise<boolean> {
  const text = await readFile(info, "latin1").catch(() => "");
  const flags = Number.parseInt(/^flags:\s*([0-7]+)/m.exec(text)?.[1] ?? "0", 8);
  return (flags & WRITING) !== 0;
}
