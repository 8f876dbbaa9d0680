import { isIP } from "node:net";
import { hostname } from "node:os";
import fastify, { type FastifyInstance } from "fastify";
import { BugError } from "#core/errors.js";
import type { Logger } from "#core/logging/types.js";
import type { Api } from "./api.js";
import { answerErrors, ForbiddenError, rememberRoutes } from "./errors.js";
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

const ROUTES = [
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

/** Keys are the longest part of a path; the longest key is made of names that users choose. */
const LONGEST_PATH_PARAMETER = 2048;

/** A client that takes longer to send its request is disconnected. */
const LONGEST_UPLOAD_MS = 120_000;

export interface ServerOptions {
  readonly log: Logger;
  readonly maxBodyBytes: number;
}

/**
 * Messages are checked by the model registry, so that no route has a schema for fastify to compile. Its compilers are loaded
 * at once unless they are replaced, which would be a quarter of the time that it takes to build the first server.
 */
function noSchemas(): never {
  throw new BugError("ROUTE_SCHEMA", "a route of the HTTP API has a schema, and nothing to compile it");
}

/** A server with every route of the API, not yet listening. One is made per socket that is listened on. */
export function buildServer(api: Api, { log, maxBodyBytes }: ServerOptions): FastifyInstance {
  const server = fastify({
    logger: false,
    bodyLimit: maxBodyBytes,
    requestTimeout: LONGEST_UPLOAD_MS,
    routerOptions: { maxParamLength: LONGEST_PATH_PARAMETER },
    schemaController: { compilersFactory: { buildValidator: noSchemas, buildSerializer: noSchemas } },
  });
  server.removeAllContentTypeParsers();
  server.addContentTypeParser("*", { parseAs: "buffer" }, (_request, body, done) => done(null, body));
  server.addHook("onResponse", async ({ method, url }, { statusCode, elapsedTime }) => {
    log.debug({ method, url, status: statusCode, ms: Math.round(elapsedTime) }, "request");
  });
  answerErrors(server, log);
  rememberRoutes(server);
  for (const routes of ROUTES) routes(server, api);
  return server;
}

/**
 * Refuses what a web page in a browser on this machine could send to a TCP socket. A page whose host name was made to point
 * here (DNS rebinding) shows in `Host`; a page that posts to us directly shows in `Origin`.
 */
export function refuseForeignPages(server: FastifyInstance, allowedHosts: readonly string[]): void {
  const known = new Set(["localhost", hostname(), ...allowedHosts].map((name) => name.toLowerCase()));
  server.addHook("onRequest", async ({ headers }) => {
    const name = hostName(headers.host ?? "");
    if (!known.has(name) && isIP(name) === 0) {
      throw new ForbiddenError(
        "FOREIGN_HOST",
        `host "${name}" is not this agent's; http.tcp.allowed_hosts says which names are`,
      );
    }
    if (headers.origin !== undefined && headers.origin !== `http://${headers.host}`) {
      throw new ForbiddenError("FOREIGN_ORIGIN", `pages of ${headers.origin} may not use this API`);
    }
  });
}

/** The host of a `Host` header, in lower case, without port and brackets. */
function hostName(host: string): string {
  return (/^\[([^\]]*)\]/.exec(host)?.[1] ?? host.split(":", 1)[0] ?? "").toLowerCase();
}
