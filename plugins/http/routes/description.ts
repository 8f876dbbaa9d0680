import { lazily } from "#core/lazily.js";
import type { Api } from "../api.js";
import type { RouteTable } from "../route-table.js";

/** What there is to ask for over HTTP, and what goes over the buses. Made when asked for, and once. */
export function descriptionRoutes(routes: RouteTable, { info, groups }: Api): void {
  let openApi: object | undefined;
  let asyncApi: object | undefined;

  routes.get("/openapi.json", async () => {
    openApi ??= (await lazily(() => import("../describe/openapi.js"))).openApi(info.version, groups);
    return openApi;
  });

  routes.get("/asyncapi.json", async () => {
    asyncApi ??= (await lazily(() => import("../describe/asyncapi.js"))).asyncApi(info.version, groups);
    return asyncApi;
  });
}
