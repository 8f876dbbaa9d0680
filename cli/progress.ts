/** What is done within this time needs no progress. */
const PATIENCE_MS = 1000;
const EVERY_MS = 250;

/** Shows on a terminal, on standard error, for how long something has been going on, until it has ended; elsewhere nothing. */
export async function whileShown<T>(what: string, work: Promise<T>): Promise<T> {
  const { stderr } = process;
  if (!stderr.isTTY) return await work;
  const start = performance.now();
  let isShown = false;
  const show = (): void => {
    const elapsed = performance.now() - start;
    if (elapsed < PATIENCE_MS) return;
    isShown = true;
    stderr.write(`\r${what} … ${Math.floor(elapsed / 1000)} s`);
  };
  const timer = setInterval(show, EVERY_MS);
  try {
    return await work;
  } finally {
    clearInterval(timer);
    if (isShown) stderr.write("\r\u001b[K");
  }
}
