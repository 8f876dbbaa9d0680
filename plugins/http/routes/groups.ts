import type { GroupRequest } from "#core/northbound/index.js";
import type { Api } from "../api.js";
import { contentType, parseIfJson, replyWith } from "../body.js";
import type { Request } from "../exchange.js";
import type { RouteTable } from "../route-table.js";

/**
 * Requests of other plugins: `POST /v1/<group>/<request>` with the argument as body, and for those that change nothing also
 * `GET`, with the argument as query.
 */
export function groupRoutes(routes: RouteTable, api: Api): void {
  for (const group of api.groups) {
    for (const [name, request] of Object.entries(group.requests)) {
      const path = `/v1/${group.name}/${name}`;
      const answer = async (asked: Request, argument: object): Promise<object> =>
        await request.handle(decode(api, request, argument, asked));
      routes.post(path, async (asked) => {
        const value = await answer(asked, await bodyOf(asked));
        return replyWith(asked, value, () => api.models.encodeMessage(request.reply, value, "protobuf"));
      });
      if (request.safe === true) routes.get(path, (asked) => answer(asked, argumentOf(asked.query)));
    }
  }
}

/** No body is a request without argument. */
async function bodyOf(asked: Request): Promise<object> {
  return asked.body.length > 0 ? await parseIfJson(asked.body, contentType(asked)) : {};
}

/** Every argument of a query; one that is there more than once is a list. */
function argumentOf(query: URLSearchParams): object {
  return Object.fromEntries(
    Array.from(new Set(query.keys()), (name) => {
      const all = query.getAll(name);
      return [name, all.length === 1 ? all[0] : all];
    }),
  );
}

function decode(api: Api, { message }: GroupRequest, argument: object, asked: Request): object {
  return api.models.decodeMessage(message, argument, contentType(asked));
}
