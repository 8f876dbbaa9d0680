import type { Api } from "../api.js";
import type { RouteTable } from "../route-table.js";

/** What there is to ask for over HTTP, and what goes over the buses. Made when asked for, and once. */
export function descriptionRoutes(routes: RouteTable, { info, groups }: Api): void {
  let openApi: object | undefined;
  let asyncApi: object | undefined;

  routes.get("/openapi.json", async () => {
    const described = await import("../describe/openapi.js");
    openApi ??= described.openApi(info.version, groups);
    return openApi;
  });

  routes.get("/asyncapi.json", async () => {
    const described = await import("../describe/asyncapi.js");
    asyncApi ??= described.asyncApi(info.version, groups);
    return asyncApi;
  });
}
