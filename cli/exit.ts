/** What a command ends with. Part of the contract. */
export const ExitStatus = { done: 0, failed: 1, usage: 2, partly: 3 } as const;

export type ExitStatus = (typeof ExitStatus)[keyof typeof ExitStatus];

/** The command cannot be carried out; the message says why, in words for the person at the terminal. */
export class CommandError extends Error {
  readonly status: ExitStatus;

  constructor(message: string, status: ExitStatus = ExitStatus.failed) {
    super(message);
    this.name = "CommandError";
    this.status = status;
  }
}

/** The command line makes no sense. */
export class UsageError extends CommandError {
  constructor(message: string) {
    super(message, ExitStatus.usage);
    this.name = "UsageError";
  }
}
