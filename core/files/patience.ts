/** How long a file system may take to answer, ms. */
const PATIENCE = 5_000;
/**
 * It is counted in steps: while this thread or this host is busy for seconds, a step takes as long, and what a file system cannot be blamed for
 * counts as one.
 */
const STEPS = 10;

/**
 * Paths that may be waited for at the same time. Each takes a thread of Node's pool (of four, unless UV_THREADPOOL_SIZE says
 * otherwise) for as long as its file system does not answer: the store and name resolution need the others.
 */
const MOST_AT_ONCE = 2;

/** A file cannot be used. `code` is an errno name. */
export class FileError extends Error {
  constructor(
    readonly code: string,
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
    this.name = "FileError";
  }

  /** Node's own error, about the path that was meant. */
  static from(path: string, error: unknown): FileError {
    if (error instanceof FileError) return error;
    const code = error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : "EIO";
    return new FileError(code, `${path}: ${REASONS[code] ?? code}`, { cause: error });
  }
}

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: "no such file or directory",
  EACCES: "permission denied",
  EPERM: "operation not permitted",
  ELOOP: "too many symbolic links",
  ENOTDIR: "a part of the path is no directory",
  ESTALE: "the file server does not know it any more",
  EIO: "input or output error",
  EMFILE: "out of file descriptors",
  ENFILE: "the host is out of file descriptors",
};

let busy = 0;
const waiting: (() => void)[] = [];
/** Paths whose file system has not answered in time, and has not since. */
const silent = new Map<string, number>();

/**
 * Does something with a path that came as input and may lie on a file system that never answers (a server that is away). Rejects
 * with `ETIMEDOUT` when it does not answer in time, and at once as long as what was asked before is not answered; what then comes late
 * goes to `discard`.
 */
export async function patiently<T>(
  path: string,
  action: () => Promise<T>,
  discard: (late: T) => void = () => undefined,
): Promise<T> {
  if (silent.has(path) || silent.size >= MOST_AT_ONCE) throw notAnswering(path);
  const attempt = { isLate: false, isRunning: false, isOver: false };
  const result = inTurn(async () => {
    if (attempt.isLate) return undefined;
    attempt.isRunning = true;
    try {
      return await action();
    } finally {
      attempt.isOver = true;
      if (attempt.isLate) countSilent(path, -1);
    }
  });
  result.then(
    (value) => attempt.isLate && value !== undefined && discard(value),
    // Whoever waited was told that it is late.
    () => undefined,
  );
  let timer: NodeJS.Timeout | undefined;
  const deadline = new Promise<never>((_, reject) => {
    const giveUp = (): void => {
      if (attempt.isOver) return;
      attempt.isLate = true;
      if (attempt.isRunning) countSilent(path, 1);
      reject(notAnswering(path));
    };
    let steps = 0;
    timer = setInterval(() => {
      steps += 1;
      // It may be this thread that was late: an answer that is there already is taken before.
      if (steps === STEPS) setImmediate(() => setImmediate(giveUp));
    }, PATIENCE / STEPS);
  });
  try {
    return (await Promise.race([result, deadline])) as T;
  } finally {
    clearInterval(timer);
  }
}

function countSilent(path: string, by: number): void {
  const count = (silent.get(path) ?? 0) + by;
  if (count > 0) silent.set(path, count);
  else silent.delete(path);
}

function notAnswering(path: string): FileError {
  return new FileError("ETIMEDOUT", `the file system of ${path} has not answered for ${PATIENCE} ms`);
}

async function inTurn<T>(action: () => Promise<T>): Promise<T> {
  if (busy >= MOST_AT_ONCE) await new Promise<void>((resolve) => waiting.push(resolve));
  else busy += 1;
  try {
    return await action();
  } finally {
    const next = waiting.shift();
    if (next === undefined) busy -= 1;
    else next();
  }
}
