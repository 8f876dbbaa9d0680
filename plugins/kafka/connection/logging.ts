import type { LogEntry, logLevel } from "kafkajs";
import type { Logger } from "#core/logging/types.js";

/** Numbers of kafkajs's levels; its `logLevel` exists only once the library is loaded. */
const INFO: logLevel = 4;
const DEBUG: logLevel = 5;

/**
 * kafkajs's log in the plugin's own, two steps lower: it calls every lost connection and every retry an error, and what is
 * really wrong is said once by whoever needed the connection.
 */
export function kafkajsLogging(log: Logger): {
  readonly logLevel: logLevel;
  readonly logCreator: () => (entry: LogEntry) => void;
} {
  return {
    // Its debug messages are many and not cheap to make, and a pino level may be lowered at any time.
    logLevel: log.isLevelEnabled("trace") ? DEBUG : INFO,
    logCreator: () => (entry) => {
      const { message, timestamp: _, logger: __, ...fields } = entry.log;
      const record = { ...fields, kafkajs: entry.namespace };
      if (entry.level < INFO) log.debug(record, message);
      else log.trace(record, message);
    },
  };
}
