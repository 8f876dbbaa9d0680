import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo, ListenOptions } from "node:net";
import type { Logger } from "#core/logging/types.js";
import { errorBody, RefusedError, statusOf } from "./errors.js";
import { Reply } from "./exchange.js";
import type { RouteTable } from "./route-table.js";

/** A client that takes longer to send its request is disconnected. */
const LONGEST_UPLOAD_MS = 120_000;

/** Connections without a request are kept for longer than the clients and proxies that poll once a minute would. */
const LONGEST_IDLE_MS = 72_000;

const NOTHING = Buffer.alloc(0);

export interface ServerOptions {
  readonly log: Logger;
  readonly maxBodyBytes: number;
  /** Throws for a request that is refused whatever it asks for. */
  readonly admit?: (headers: IncomingHttpHeaders) => void;
}

/**
 * The routes on one socket. Bodies are read whole, up to a limit. What a route throws is answered as JSON by the kind of the
 * error; what is our own fault goes to the log with its stack.
 */
export class HttpServer {
  readonly #routes: RouteTable;
  readonly #options: ServerOptions;
  readonly #server = createServer(
    { requestTimeout: LONGEST_UPLOAD_MS, keepAliveTimeout: LONGEST_IDLE_MS },
    (incoming, response) => void this.#serve(incoming, response),
  );
  #closing = false;

  constructor(routes: RouteTable, options: ServerOptions) {
    this.#routes = routes;
    this.#options = options;
  }

  /** Rejects with the error of `listen` when the address cannot be had. */
  listen(address: ListenOptions): Promise<AddressInfo | string | null> {
    return new Promise((resolve, reject) => {
      this.#server.once("error", reject);
      this.#server.listen(address, () => {
        this.#server.off("error", reject);
        resolve(this.#server.address());
      });
    });
  }

  /** Takes no more requests, and waits for the answers to those that it has taken. Harmless when it does not listen. */
  close(): Promise<void> {
    this.#closing = true;
    return new Promise((resolve) => this.#server.close(() => resolve()));
  }

  async #serve(incoming: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method, url } = incoming;
    const began = performance.now();
    response.once("close", () => {
      const ms = Math.round(performance.now() - began);
      this.#options.log.debug({ method, url, status: response.statusCode, ms }, "request");
    });
    const reply = await this.#reply(incoming).catch((error: unknown) => this.#refusal(incoming, error));
    // Whoever is asked while we close is not to ask again on this connection, nor whoever still sends what nobody reads.
    if (this.#closing || reply.status === 413) response.setHeader("connection", "close");
    if (typeof reply.content !== "function") {
      const length = Buffer.byteLength(reply.content);
      response.writeHead(reply.status, { ...reply.headers, "content-length": length }).end(reply.content);
    } else if (method === "HEAD") {
      response.end();
    } else {
      reply.content(response);
    }
  }

  async #reply(incoming: IncomingMessage): Promise<Reply> {
    const { method = "", url = "", headers } = incoming;
    if (this.#closing) return Reply.json({ error: { code: "CLOSING", message: "the agent is closing" } }, 503);
    this.#options.admit?.(headers);
    const { path, query } = splitUrl(url);
    const route = this.#find(method, path);
    if (route === undefined) return this.#notFound(method, url);
    const body = method === "GET" || method === "HEAD" ? NOTHING : await this.#body(incoming);
    const answer = await route.handle({ headers, params: route.params, query, body });
    return answer instanceof Reply ? answer : Reply.json(answer);
  }

  #find(method: string, path: string): ReturnType<RouteTable["find"]> {
    try {
      return this.#routes.find(method, path);
    } catch (cause) {
      if (cause instanceof URIError) throw new RefusedError(400, "BAD_PATH", `${path} is not a valid path`);
      throw cause;
    }
  }

  #notFound(method: string, url: string): Reply {
    const message = `there is no ${method} ${url}; see "paths" for what there is`;
    return Reply.json({ error: { code: "NOT_FOUND", message }, paths: this.#routes.list() }, 404);
  }

  async #body(incoming: IncomingMessage): Promise<Buffer> {
    const { maxBodyBytes } = this.#options;
    const tooLarge = (): RefusedError =>
      new RefusedError(
        413,
        "BODY_TOO_LARGE",
        `the body has more than ${maxBodyBytes} bytes; http.max_body_bytes allows more`,
      );
    if (Number(incoming.headers["content-length"] ?? 0) > maxBodyBytes) throw tooLarge();
    const pieces: Buffer[] = [];
    let length = 0;
    // The connection outlives a body that is given up: it carries the answer.
    for await (const piece of incoming.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
      length += piece.length;
      if (length > maxBodyBytes) throw tooLarge();
      pieces.push(piece);
    }
    return Buffer.concat(pieces, length);
  }

  #refusal({ method, url, destroyed, complete }: IncomingMessage, error: unknown): Reply {
    const status = statusOf(error);
    // Who hung up before the request was whole hears nothing of it, and did no harm.
    const isGone = destroyed && !complete;
    if (status >= 500 && !isGone) this.#options.log.error({ err: error, method, url }, "request failed");
    return Reply.json(errorBody(error), status);
  }
}

function splitUrl(url: string): { readonly path: string; readonly query: URLSearchParams } {
  const mark = url.indexOf("?");
  if (mark < 0) return { path: url, query: new URLSearchParams() };
  return { path: url.slice(0, mark), query: new URLSearchParams(url.slice(mark + 1)) };
}
