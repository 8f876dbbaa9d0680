import type { Api } from "./api.js";
import { RouteTable } from "./route-table.js";
import { configRoutes } from "./routes/config.js";
import { descriptionRoutes } from "./routes/description.js";
import { dumpRoutes } from "./routes/dump.js";
import { graphRoutes } from "./routes/graph.js";
import { groupRoutes } from "./routes/groups.js";
import { healthRoutes } from "./routes/health.js";
import { logRoutes } from "./routes/log.js";
import { metricsRoutes } from "./routes/metrics.js";
import { pageRoutes } from "./routes/page.js";
import { schedulerRoutes } from "./routes/scheduler.js";
import { stateRoutes } from "./routes/state.js";
import { transactionRoutes } from "./routes/transactions.js";

const GROUPS = [
  healthRoutes,
  metricsRoutes,
  schedulerRoutes,
  graphRoutes,
  dumpRoutes,
  logRoutes,
  transactionRoutes,
  configRoutes,
  stateRoutes,
  groupRoutes,
  descriptionRoutes,
  pageRoutes,
] as const;

/** Every route of the API. */
export function routesOf(api: Api): RouteTable {
  const table = new RouteTable();
  for (const routes of GROUPS) routes(table, api);
  return table;
}
