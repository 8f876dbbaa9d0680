import { z } from "zod";
import type { ConfigSchema } from "../plugin/index.js";
import { duration } from "./duration.js";

const LOG_LEVELS = ["trace", "debug", "info", "warn", "error", "fatal", "silent"] as const;

/** Section `agent`. */
export const agentConfig = z.strictObject({
  init_timeout: duration.prefault("10s").describe("Longest that init of one plugin may take."),
  after_init_timeout: duration.prefault("10s").describe("Longest that afterInit of one plugin may take."),
  close_timeout: duration.prefault("10s").describe("Longest that close of one plugin may take."),
});

/** Section `log`. */
export const logConfig = z.strictObject({
  level: z.enum(LOG_LEVELS).default("info").describe("Level of every logger that `levels` does not name."),
  levels: z
    .record(z.string(), z.enum(LOG_LEVELS))
    .default({})
    .describe("Levels by logger: a plugin's name, agent, scheduler."),
  format: z
    .enum(["auto", "json", "text"])
    .default("auto")
    .describe("One JSON object or one readable line per record; auto: readable on a terminal."),
});

/** Section `scheduler`. */
export const schedulerConfig = z.strictObject({
  retry_period: duration.prefault("1s").describe("Delay before the first retry of a failed operation."),
  retry_limit: z
    .number()
    .int()
    .nonnegative()
    .optional()
    .describe("Retries before a value stays FAILED. 0: a failure is final. Left out: it is retried until it succeeds."),
  retry_backoff: z.boolean().default(true).describe("Double the delay with every retry, up to a minute."),
  operation_timeout: duration.prefault("30s").describe("Longest that one operation on the host may take."),
  concurrency: z.number().int().positive().default(4096).describe("Operations that may be under way at the same time."),
  history_limit: z.number().int().nonnegative().default(1000).describe("Finished transactions that are remembered."),
  history_age: duration.prefault("24h").describe("How long a finished transaction is remembered."),
  timeline_limit: z
    .number()
    .int()
    .nonnegative()
    .default(20_000)
    .describe("Former states of values that are remembered."),
  timeline_age: duration.prefault("24h").describe("How long a former state of a value is remembered."),
  drift: z
    .enum(["enforce", "report", "ignore"])
    .default("enforce")
    .describe("When somebody else changes a managed value: repair it and tell, only tell, or neither."),
});

/** Sections that every agent has, whatever its flavor. */
export const coreSections = {
  agent: agentConfig,
  log: logConfig,
  scheduler: schedulerConfig,
} as const satisfies Record<string, ConfigSchema>;

export type AgentConfig = z.infer<typeof agentConfig>;
export type LogConfig = z.infer<typeof logConfig>;
export type SchedulerConfig = z.infer<typeof schedulerConfig>;
