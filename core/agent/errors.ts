import { errorMessage, TenutoError } from "../errors.js";

/** A step of a plugin's life. */
export type PluginStep = "constructor" | "init" | "afterInit" | "close";

/**
 * A step of a plugin failed or overran its deadline. `code` is `PLUGIN_START_FAILED` or `PLUGIN_CLOSE_FAILED`; `kind` is that
 * of the cause, `bug` when the cause is no `TenutoError`.
 */
export class PluginError extends TenutoError {
  readonly plugin: string;
  readonly step: PluginStep;

  constructor(plugin: string, step: PluginStep, cause: unknown) {
    super(
      cause instanceof TenutoError ? cause.kind : "bug",
      step === "close" ? "PLUGIN_CLOSE_FAILED" : "PLUGIN_START_FAILED",
      `plugin ${plugin}: ${step} failed: ${errorMessage(cause)}`,
      { cause },
    );
    this.plugin = plugin;
    this.step = step;
  }
}

/** Closing went through every plugin, and these failed (`AGENT_CLOSE_FAILED`). */
export class AgentCloseError extends TenutoError {
  readonly errors: readonly PluginError[];

  constructor(label: string, errors: readonly PluginError[]) {
    const messages = errors.map(({ message }) => message).join("; ");
    super("bug", "AGENT_CLOSE_FAILED", `agent ${label} is closed, but not cleanly: ${messages}`, {
      cause: errors.length === 1 ? errors[0] : new AggregateError(errors, messages),
    });
    this.errors = errors;
  }
}
