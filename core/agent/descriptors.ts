import { close, open } from "node:fs";

/** How often it is tried whether a descriptor can be had, ms. */
const INTERVAL = 1_000;

const PROBLEMS: Readonly<Record<string, string>> = {
  EMFILE:
    "out of file descriptors: connections, files and namespaces that need one fail until others are closed. Raise the limit (ulimit -n, LimitNOFILE=)",
  ENFILE:
    "the host is out of file descriptors: connections, files and namespaces that need one fail. Raise fs.file-max",
};

type Listener = (problem: string | undefined) => void;

/** One timer for all agents of a process, which share its descriptors. */
const listeners = new Set<Listener>();
let timer: NodeJS.Timeout | undefined;
let problem: string | undefined;

/**
 * Tells when this process has no file descriptors left, and when it has again. What needs one fails on its own meanwhile, in many ways; this
 * says why.
 */
export function watchDescriptors(listener: Listener): () => void {
  listeners.add(listener);
  timer ??= setInterval(probe, INTERVAL).unref();
  return () => {
    listeners.delete(listener);
    if (listeners.size > 0) return;
    clearInterval(timer);
    timer = undefined;
    problem = undefined;
  };
}

function probe(): void {
  open("/dev/null", "r", (error, fd) => {
    if (error === null) close(fd, () => undefined);
    const now = PROBLEMS[error?.code ?? ""];
    if (now === problem) return;
    problem = now;
    for (const listener of [...listeners]) listener(now);
  });
}
