import type { Api } from "../api.js";
import type { RouteTable } from "../route-table.js";

/** Log levels, changed while the agent runs. */
export function logRoutes(routes: RouteTable, api: Api): void {
  routes.get("/log/list", () => api.logs.list());

  routes.put("/log/:logger/:level", ({ params: { logger, level } }) => {
    api.logs.setLevel(logger, level);
    return { logger, level };
  });
}
