import { BugError } from "../errors.js";

export interface Deadline {
  readonly ms: number;
  /** The configuration field that sets it, for the message. */
  readonly field: string;
  /** Called when what was waited for fails after the deadline, when nobody waits any more. */
  readonly onLateFailure: (error: unknown) => void;
}

/** Waits for `running` until the deadline. Throws what it throws, or `BugError` (`DEADLINE_EXCEEDED`). It cannot stop it. */
export async function withinDeadline(running: Promise<void>, { ms, field, onLateFailure }: Deadline): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const overrun = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      running.catch(onLateFailure);
      reject(new BugError("DEADLINE_EXCEEDED", `took longer than ${ms} ms (${field})`));
    }, ms);
  });
  try {
    await Promise.race([running, overrun]);
  } finally {
    clearTimeout(timer);
  }
}
