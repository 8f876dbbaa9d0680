import { errorMessage } from "#core/errors.js";
import type { Logger } from "#core/logging/types.js";
import type { InterfaceConfiguration } from "../configuration.js";
import { type ConfigFiles, writeConfigFiles } from "./config-files.js";
import type { Hook, HookEvent } from "./hook.js";
import { runProgram } from "./program.js";
import { openTrustedProgram, type TrustedProgram } from "./trusted-file.js";

/** The work that hooks accompany. */
export interface HookOccasion {
  readonly hostName: string;
  readonly label: string;
  readonly action: "apply" | "remove";
  readonly candidate: InterfaceConfiguration;
  readonly running: InterfaceConfiguration;
  /** Id of the transaction that applies or removes. */
  readonly transaction: string;
}

const SEARCH_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/** The hooks of one piece of work, which run before it and after it. Call `end` in any case. */
export class HookRun {
  private configFiles: Promise<ConfigFiles> | undefined;

  constructor(
    private readonly occasion: HookOccasion,
    private readonly hooks: readonly Hook[],
    private readonly log: Logger,
    private readonly closing: AbortSignal,
  ) {}

  /**
   * Runs the hooks for an event one after the other. Returns why the work must end, or nothing; a failure that need not end
   * it is in the log.
   */
  async run(event: HookEvent): Promise<string | undefined> {
    for (const hook of this.hooks) {
      if (hook.event !== event) continue;
      const problem = await this.runOne(hook);
      if (problem === undefined) continue;
      const { hostName: name } = this.occasion;
      this.log.warn({ interface: name, event, hook: hook.command, aborts: hook.aborts }, `a hook failed: ${problem}`);
      if (hook.aborts) return `hook ${hook.command} (${event}) failed: ${problem}`;
    }
    return undefined;
  }

  async end(): Promise<void> {
    const configFiles = await this.configFiles;
    await configFiles?.discard();
  }

  private async runOne(hook: Hook): Promise<string | undefined> {
    let program: TrustedProgram | undefined;
    try {
      program = await openTrustedProgram(hook.command, hook.within);
      this.configFiles ??= writeConfigFiles(this.occasion.candidate, this.occasion.running);
      return await runProgram({
        name: hook.command,
        fd: program.file.fd,
        arguments: hook.arguments,
        environment: this.environment(hook, await this.configFiles),
        timeout: hook.timeout,
        signal: this.closing,
        output: (line) => this.log.info({ interface: this.occasion.hostName, hook: hook.command }, line),
      });
    } catch (error) {
      return errorMessage(error);
    } finally {
      await program?.file.close();
    }
  }

  /** What the hook names for itself cannot replace what it is told. */
  private environment(
    { event, command, environment }: Hook,
    configFiles: ConfigFiles,
  ): Readonly<Record<string, string>> {
    const { hostName, label, action, transaction } = this.occasion;
    return {
      PATH: SEARCH_PATH,
      ...environment,
      INTERFACE: hostName,
      TENUTO_LABEL: label,
      TENUTO_ACTION: action,
      TENUTO_EVENT: event,
      TENUTO_HOOK: command,
      TENUTO_TRANSACTION: transaction,
      TENUTO_CANDIDATE: configFiles.candidate,
      TENUTO_RUNNING: configFiles.running,
    };
  }
}
