import type { Hook as RegisteredHook } from "#proto/index.js";
import type { IfmgrConfig } from "../config.js";
import { patternOf } from "../registrations.js";

export type HookEvent = IfmgrConfig["hooks"][number]["event"];

/** A program to run for an interface. */
export interface Hook {
  readonly event: HookEvent;
  readonly command: string;
  readonly arguments: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  /** ms. */
  readonly timeout: number;
  /** Does its failure end the work? */
  readonly aborts: boolean;
  /** The program must be in this directory; `undefined`: it may be anywhere. */
  readonly within: string | undefined;
}

const DEFAULT_TIMEOUT = 30_000;

/** The hooks of the configuration for an interface. Whoever wrote that file may run what he likes. */
export function configuredHooks({ hooks }: IfmgrConfig, hostName: string): readonly Hook[] {
  return hooks
    .filter((hook) => patternOf(hook.interface).test(hostName))
    .map(({ on_failure, ...hook }) => ({ ...hook, aborts: on_failure === "abort", within: undefined }));
}

/** The hooks of a registration. It may come over a bus, whose users must not run just any program. */
export function registeredHooks(hooks: readonly RegisteredHook[], { hook_directory }: IfmgrConfig): readonly Hook[] {
  return hooks.flatMap((hook) => {
    if (hook.event === undefined || hook.event === "UNDEFINED") return [];
    return {
      event: hook.event,
      command: hook.command ?? "",
      arguments: hook.arguments ?? [],
      environment: hook.environment ?? {},
      timeout: hook.timeout || DEFAULT_TIMEOUT,
      aborts: hook.required ?? false,
      within: hook_directory,
    };
  });
}
