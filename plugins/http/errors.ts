import type { FastifyError, FastifyInstance } from "fastify";
import { type ErrorKind, TenutoError } from "#core/errors.js";
import type { Logger } from "#core/logging/types.js";

/** The body of every answer that is not the thing asked for. */
export interface ErrorBody {
  readonly error: {
    readonly code: string;
    readonly message: string;
    readonly key?: string;
    readonly field?: string;
  };
}

/** What was asked for by name is not there. */
export class NotFoundError extends TenutoError {
  constructor(code: string, message: string, key?: string) {
    super("invalid-input", code, message, { key });
  }
}

const STATUS_OF_KIND: Readonly<Record<ErrorKind, number>> = {
  "invalid-input": 400,
  southbound: 502,
  bus: 503,
  bug: 500,
};

/** A request that is refused whatever it says. */
export class ForbiddenError extends TenutoError {
  constructor(code: string, message: string) {
    super("invalid-input", code, message);
  }
}

/** Answers errors as JSON; what is our own fault goes to the log with its stack. */
export function answerErrors(server: FastifyInstance, log: Logger): void {
  server.setErrorHandler((error: FastifyError | TenutoError, request, reply) => {
    const status = statusOf(error);
    if (status >= 500) log.error({ err: error, method: request.method, url: request.url }, "request failed");
    return reply.code(status).send(errorBody(error));
  });
  server.setNotFoundHandler((request, reply) => {
    const body = notFound(request.method, request.url, routeList(server));
    return reply.code(404).send(body);
  });
}

function statusOf(error: FastifyError | TenutoError): number {
  if (error instanceof NotFoundError) return 404;
  if (error instanceof ForbiddenError) return 403;
  if (error instanceof TenutoError) return STATUS_OF_KIND[error.kind];
  return error.statusCode ?? 500;
}

export function errorBody(error: FastifyError | TenutoError): ErrorBody {
  const { code, message } = error;
  if (!(error instanceof TenutoError)) return { error: { code: code ?? "BUG", message } };
  const key = error.key === undefined ? {} : { key: error.key };
  const field = error.field === undefined ? {} : { field: error.field };
  return { error: { code, message, ...key, ...field } };
}

function notFound(method: string, url: string, paths: readonly string[]): ErrorBody & { paths: readonly string[] } {
  return {
    error: { code: "NOT_FOUND", message: `there is no ${method} ${url}; see "paths" for what there is` },
    paths,
  };
}

const routes = new WeakMap<object, string[]>();

/** Keeps the list of a server's routes from now on, for the answer to an unknown path. */
export function rememberRoutes(server: FastifyInstance): void {
  const known: string[] = [];
  routes.set(server.server, known);
  server.addHook("onRoute", ({ method, url }) => {
    for (const one of [method].flat()) if (one !== "HEAD") known.push(`${one} ${url}`);
  });
}

function routeList(server: FastifyInstance): readonly string[] {
  return [...(routes.get(server.server) ?? [])].sort();
}
