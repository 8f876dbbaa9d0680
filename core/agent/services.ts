import type { SchedulerConfig } from "../config/index.js";
import { Health, PluginHealthReporter } from "../health/index.js";
import { Logger, LogRegistry } from "../logging/index.js";
import { ModelRegistry } from "../model/types.js";
import { EventPublisher } from "../northbound/index.js";
import { PluginConfig, type Token } from "../plugin/index.js";
import { createScheduler, type RetryPolicy, Scheduler } from "../scheduler/index.js";
import { AgentInfo } from "./types.js";

/** Tokens that the agent itself provides, to all plugins alike or to each its own. */
export const AGENT_TOKENS: ReadonlySet<Token<unknown>> = new Set<Token<unknown>>([
  Scheduler,
  ModelRegistry,
  LogRegistry,
  Health,
  AgentInfo,
  EventPublisher,
  PluginConfig,
  Logger,
  PluginHealthReporter,
]);

/** The scheduler of an agent, as section `scheduler` wants it. What goes wrong inside it is logged. */
export function schedulerFor(config: SchedulerConfig, log: Logger): Scheduler {
  const retry: RetryPolicy = {
    period: config.retry_period,
    maxCount: config.retry_limit ?? Number.POSITIVE_INFINITY,
    exponentialBackoff: config.retry_backoff,
  };
  return createScheduler({
    retry: config.retry_limit === 0 ? false : retry,
    concurrency: config.concurrency,
    operationTimeout: config.operation_timeout,
    history: { maxRecords: config.history_limit, maxAge: config.history_age },
    timeline: { maxRecords: config.timeline_limit, maxAge: config.timeline_age },
    drift: config.drift,
    onProblem: (message, cause) => log.error({ err: cause }, message),
  });
}
