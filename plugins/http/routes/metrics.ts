import { getHeapStatistics } from "node:v8";
import type { HealthState } from "#core/health/types.js";
import type { Api } from "../api.js";
import { HttpReply } from "../exchange.js";
import { exposition, METRICS_CONTENT_TYPE, type Metric } from "../metrics.js";
import type { RouteTable } from "../route-table.js";

const HEALTH_STATES: readonly HealthState[] = ["starting", "ok", "degraded", "failed", "closed"];

/** For Prometheus. Counters start at zero with the agent. */
export function metricsRoutes(routes: RouteTable, api: Api): void {
  routes.get("/metrics", () =>
    HttpReply.of(
      METRICS_CONTENT_TYPE,
      exposition([...agentMetrics(api), ...transactionMetrics(api), ...processMetrics()]),
    ),
  );
}

function agentMetrics(api: Api): readonly Metric[] {
  const { info, health, scheduler } = api;
  const states = new Map<string, number>();
  for (const { state } of scheduler.statuses()) states.set(state, (states.get(state) ?? 0) + 1);
  return [
    {
      name: "tenuto_agent_info",
      help: "Facts about the agent, as labels.",
      type: "gauge",
      samples: [[{ label: info.label, version: info.version, flavor: info.flavor }, 1]],
    },
    {
      name: "tenuto_plugin_health",
      help: "1 for the state that the plugin is in, 0 for the others.",
      type: "gauge",
      samples: health
        .plugins()
        .flatMap(({ plugin, state }) =>
          HEALTH_STATES.map((one) => [{ plugin, state: one }, one === state ? 1 : 0] as const),
        ),
    },
    {
      name: "tenuto_values",
      help: "Values (without derived ones) by state.",
      type: "gauge",
      samples: [...states].sort().map(([state, count]) => [{ state }, count] as const),
    },
    {
      name: "tenuto_orphaned_values",
      help: "Values that stay though nobody asks for them any more, by the source that has lost them; empty: of an earlier run.",
      type: "gauge",
      samples: api
        .northbound()
        .orphans()
        .map(({ source, count }) => [{ source }, count] as const),
    },
  ];
}

function transactionMetrics({ transactions }: Api): readonly Metric[] {
  return [
    {
      name: "tenuto_transactions_total",
      help: "Scheduler transactions by kind and result.",
      type: "counter",
      samples: transactions.byKindAndResult().map(({ kind, result, count }) => [{ kind, result }, count] as const),
    },
    {
      name: "tenuto_transaction_seconds_total",
      help: "Time spent in scheduler transactions.",
      type: "counter",
      samples: [[{}, transactions.totalSeconds]],
    },
    {
      name: "tenuto_operations_total",
      help: "Operations executed by scheduler transactions.",
      type: "counter",
      samples: [[{}, transactions.totalOperations]],
    },
  ];
}

function processMetrics(): readonly Metric[] {
  const rss = residentMemory();
  const metric = (name: string, help: string, type: Metric["type"], value: number): Metric => ({
    name,
    help,
    type,
    samples: [[{}, value]],
  });
  return [
    ...(rss === undefined
      ? []
      : [metric("process_resident_memory_bytes", "Resident memory of the process.", "gauge", rss)]),
    metric("nodejs_heap_used_bytes", "JavaScript heap in use.", "gauge", getHeapStatistics().used_heap_size),
    metric("process_cpu_seconds_total", "User and system CPU time of the process.", "counter", cpuSeconds()),
    metric(
      "process_start_time_seconds",
      "Start of the process, Unix time.",
      "gauge",
      Date.now() / 1000 - process.uptime(),
    ),
  ];
}

/** It is read from /proc: not known when there is no file descriptor left. */
function residentMemory(): number | undefined {
  try {
    return process.memoryUsage.rss();
  } catch {
    return undefined;
  }
}

function cpuSeconds(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
}
