import { InvalidInputError } from "#core/errors.js";
import type { Change, KeyValue } from "#core/northbound/index.js";
import type { Api } from "../api.js";
import { contentType, parseIfJson, replyWith, replyWithResult } from "../body.js";
import { NotFoundError } from "../errors.js";
import { argument } from "../query.js";
import type { RouteTable } from "../route-table.js";

/** The desired configuration, value by value. */
export function configRoutes(routes: RouteTable, api: Api): void {
  routes.get("/v1/config", ({ query }) => api.northbound().get(argument(query, "prefix")));

  routes.get("/v1/config/*key", (request) => {
    const { key, value } = desired(api, request.params.key);
    return replyWith(request, value, () => api.models.encode(key, value, "protobuf"));
  });

  routes.put("/v1/config/*key", async (request) => {
    const value = await parseIfJson(request.body, contentType(request));
    return replyWithResult(api, request, await commitOne(api, { key: request.params.key, value }));
  });

  routes.delete("/v1/config/*key", async (request) =>
    replyWithResult(api, request, await commitOne(api, { key: request.params.key, delete: true })),
  );
}

function desired(api: Api, asked: string): KeyValue {
  const key = api.models.normaliseKey(asked);
  const near = api.northbound().get(key);
  const found = near.find((one) => one.key === key);
  if (found !== undefined) return found;
  const [meant, ...others] = near.filter((one) => api.models.isShortFor(key, one.key));
  if (meant !== undefined && others.length === 0) return meant;
  if (meant !== undefined) {
    const candidates = [meant, ...others].map((one) => one.key).join(" or ");
    throw new InvalidInputError("AMBIGUOUS_KEY", `${key}: may mean ${candidates}; ask for one of these`, { key });
  }
  throw new NotFoundError("NO_SUCH_VALUE", `nothing is configured under ${key}`, key);
}

function commitOne(api: Api, change: Change): ReturnType<ReturnType<Api["northbound"]>["commit"]> {
  return api.northbound().commit({ changes: [change] }, "http");
}
