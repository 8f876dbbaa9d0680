import { Child } from "./child.js";
import { tenutoProgram } from "./project.js";

export interface CommandResult {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface CommandOptions {
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** Text for standard input. */
  readonly input?: string;
}

/** Runs `tenuto` (node dist/cli/tenuto.js) to its end. Never throws for an exit status. */
export async function tenuto(parameters: readonly string[], options: CommandOptions = {}): Promise<CommandResult> {
  const child = await Child.start([...tenutoProgram, ...parameters], {
    ...options,
    env: { ...agentEnvironment, ...options.env },
  });
  const { code } = await child.exited;
  return { status: code, stdout: child.stdout, stderr: child.stderr };
}

/**
 * What this process's environment must not tell a `tenuto` program: the tests' own variables, and settings that a developer
 * has exported. And it is to leave no compiled code on the host, which newer versions of Node would.
 */
export const agentEnvironment: Readonly<Record<string, string | undefined>> = {
  ...Object.fromEntries(
    Object.keys(process.env)
      .filter((name) => name.startsWith("TENUTO_"))
      .map((name) => [name, undefined]),
  ),
  NODE_DISABLE_COMPILE_CACHE: "1",
};
