import type { FastifyInstance, FastifyRequest } from "fastify";
import type { GroupRequest } from "#core/northbound/index.js";
import type { Api } from "../api.js";
import { contentType, parseIfJson, sendMessage } from "../body.js";

/**
 * Requests of other plugins: `POST /v1/<group>/<request>` with the argument as body, and for those that change nothing also
 * `GET`, with the argument as query.
 */
export function groupRoutes(server: FastifyInstance, api: Api): void {
  for (const group of api.groups) {
    for (const [name, request] of Object.entries(group.requests)) {
      const path = `/v1/${group.name}/${name}`;
      const answer = async (asked: FastifyRequest, argument: object): Promise<object> =>
        await request.handle(decode(api, request, argument, asked));
      server.post(path, async (asked, reply) => {
        const value = await answer(asked, bodyOf(asked));
        return sendMessage(asked, reply, value, () => api.models.encodeMessage(request.reply, value, "protobuf"));
      });
      if (request.safe === true) server.get(path, (asked) => answer(asked, { ...(asked.query as object) }));
    }
  }
}

/** No body is a request without argument. */
function bodyOf(asked: FastifyRequest): object {
  return Buffer.isBuffer(asked.body) && asked.body.length > 0 ? parseIfJson(asked.body, contentType(asked)) : {};
}

function decode(api: Api, { message }: GroupRequest, argument: object, asked: FastifyRequest): object {
  return api.models.decodeMessage(message, argument, contentType(asked));
}
