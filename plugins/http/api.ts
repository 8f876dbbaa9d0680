import type { AgentInfo } from "#core/agent/types.js";
import type { Health } from "#core/health/types.js";
import type { LogRegistry } from "#core/logging/types.js";
import type { ModelRegistry } from "#core/model/types.js";
import type { EventPublisher, Northbound, RequestGroup } from "#core/northbound/index.js";
import type { Scheduler } from "#core/scheduler/api/scheduler.js";
import type { EventStreams } from "./event-streams.js";
import type { RouteTable } from "./route-table.js";
import type { TransactionCounts } from "./transaction-counts.js";

/** What the routes stand on. */
export interface Api {
  readonly info: AgentInfo;
  readonly health: Health;
  readonly logs: LogRegistry;
  readonly models: ModelRegistry;
  readonly scheduler: Scheduler;
  readonly publisher: EventPublisher;
  readonly streams: EventStreams;
  readonly transactions: TransactionCounts;
  /** Requests of other plugins. */
  readonly groups: readonly RequestGroup[];
  /** Throws `BusError` `NOT_READY` until the orchestrator has asked this endpoint to serve. */
  northbound(): Northbound;
}

/** A group of routes. */
export type Routes = (table: RouteTable, api: Api) => void;
