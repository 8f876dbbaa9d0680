import { type DestinationStream, destination, type Logger as PinoLogger, pino } from "pino";
import { didYouMean } from "../config/suggestion.js";
import { InvalidInputError } from "../errors.js";
import { textStream } from "./text-format.js";
import type { Logger, LogLevel, LogRegistry } from "./types.js";

const LEVELS = ["trace", "debug", "info", "warn", "error", "fatal", "silent"] as const satisfies readonly LogLevel[];

export interface LogRegistryOptions {
  /** The agent's label, in every record: a process may run several agents. */
  readonly label: string;
  /** Level of loggers that `levels` does not name. */
  readonly level: LogLevel;
  /** By logger name. */
  readonly levels: Readonly<Record<string, LogLevel>>;
  readonly format: "auto" | "json" | "text";
  /** Where records go. Default: stderr, written at once, so that nothing is lost when the process dies. */
  readonly stream?: DestinationStream | undefined;
}

/** The loggers of one agent. */
export function createLogRegistry(options: LogRegistryOptions): LogRegistry {
  const root = pino(
    { level: "trace", base: { label: options.label } },
    options.stream ?? standardError(options.format),
  );
  const loggers = new Map<string, PinoLogger>();

  const logger = (name: string): Logger => {
    const known = loggers.get(name);
    if (known !== undefined) return known;
    const made = root.child({ logger: name }, { level: options.levels[name] ?? options.level });
    loggers.set(name, made);
    return made;
  };

  return {
    logger,
    list: () => [...loggers].map(([name, { level }]) => ({ logger: name, level: knownLevel(level) })),
    setLevel: (name, level) => {
      const found = loggers.get(name);
      if (found === undefined) {
        const names = [...loggers.keys()];
        throw new InvalidInputError(
          "LOGGER_UNKNOWN",
          `there is no logger "${name}", expected one of: ${names.join(", ")}${didYouMean(name, names)}`,
          { field: "logger" },
        );
      }
      found.level = knownLevel(level);
    },
  };
}

function knownLevel(level: string): LogLevel {
  const known = LEVELS.find((one) => one === level);
  if (known !== undefined) return known;
  throw new InvalidInputError(
    "LOG_LEVEL_UNKNOWN",
    `log level was "${level}", expected one of: ${LEVELS.join(", ")}${didYouMean(level, LEVELS)}`,
    { field: "level" },
  );
}

function standardError(format: LogRegistryOptions["format"]): DestinationStream {
  const terminal = process.stderr.isTTY === true;
  if (format === "text" || (format === "auto" && terminal)) {
    return textStream(process.stderr, terminal && process.env.NO_COLOR === undefined);
  }
  return destination({ dest: 2, sync: true });
}
