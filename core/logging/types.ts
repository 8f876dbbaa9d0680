import type { Logger as PinoLogger } from "pino";
import { token } from "../plugin/token.js";

/** The logger of one plugin. Structured: `log.info({ key }, "created")`. */
export type Logger = PinoLogger;
/** Injected per plugin: the logger that carries the plugin's name. */
export const Logger = token<PinoLogger>("Logger");

export type LogLevel = "trace" | "debug" | "info" | "warn" | "error" | "fatal" | "silent";

/** Every logger of the agent, with levels that can change while it runs. */
export interface LogRegistry {
  list(): readonly { readonly logger: string; readonly level: LogLevel }[];
  /** Throws `InvalidInputError` for an unknown logger or level. */
  setLevel(logger: string, level: string): void;
  /** A logger by name; made when it is new. */
  logger(name: string): Logger;
}

export const LogRegistry = token<LogRegistry>("LogRegistry");
