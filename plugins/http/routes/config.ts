import type { FastifyInstance } from "fastify";
import type { Change, KeyValue } from "#core/northbound/index.js";
import type { Api } from "../api.js";
import { contentType, parseIfJson, sendMessage, sendResult } from "../body.js";
import { NotFoundError } from "../errors.js";

type Keyed = { Params: { "*": string } };

/** The desired configuration, value by value. */
export function configRoutes(server: FastifyInstance, api: Api): void {
  server.get<{ Querystring: { prefix?: string } }>("/v1/config", ({ query }) => api.northbound().get(query.prefix));

  server.get<Keyed>("/v1/config/*", (request, reply) => {
    const { key, value } = desired(api, request.params["*"]);
    return sendMessage(request, reply, value, () => api.models.encode(key, value, "protobuf"));
  });

  server.put<Keyed>("/v1/config/*", (request, reply) => {
    const value = parseIfJson(request.body, contentType(request));
    return commitOne(api, { key: request.params["*"], value }).then((result) =>
      sendResult(api, request, reply, result),
    );
  });

  server.delete<Keyed>("/v1/config/*", (request, reply) =>
    commitOne(api, { key: request.params["*"], delete: true }).then((result) =>
      sendResult(api, request, reply, result),
    ),
  );
}

function desired(api: Api, asked: string): KeyValue {
  const key = api.models.normaliseKey(asked);
  const found = api
    .northbound()
    .get(key)
    .find((one) => one.key === key);
  if (found !== undefined) return found;
  throw new NotFoundError("NO_SUCH_VALUE", `nothing is configured under ${key}`, key);
}

function commitOne(api: Api, change: Change): ReturnType<ReturnType<Api["northbound"]>["commit"]> {
  return api.northbound().commit({ changes: [change] }, "http");
}
