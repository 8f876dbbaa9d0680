import type { FastifyInstance } from "fastify";
import type { Api } from "../api.js";

/** Log levels, changed while the agent runs. */
export function logRoutes(server: FastifyInstance, api: Api): void {
  server.get("/log/list", () => api.logs.list());

  server.put<{ Params: { logger: string; level: string } }>("/log/:logger/:level", (request) => {
    const { logger, level } = request.params;
    api.logs.setLevel(logger, level);
    return { logger, level };
  });
}
