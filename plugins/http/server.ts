import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { AddressInfo, ListenOptions } from "node:net";
import type { TlsOptions } from "node:tls";
import type { Logger } from "#core/logging/types.js";
import { Connections } from "./connections.js";
import { errorBody, RefusedError, statusOf } from "./errors.js";
import { HttpReply } from "./exchange.js";
import { LongAnswer } from "./long-answer.js";
import type { RouteTable } from "./route-table.js";

/** A client that takes longer to send its request is disconnected. */
const LONGEST_UPLOAD_MS = 120_000;

/** A client that takes longer to take an answer is disconnected: what waits for it takes memory. */
const LONGEST_DOWNLOAD_MS = 120_000;

/** Connections without a request are kept for longer than the clients and proxies that poll once a minute would. */
const LONGEST_IDLE_MS = 72_000;

const MOST_CONNECTIONS = 512;

/** Large answers that are on their way at once; each holds what it is made of. */
const LARGE_ANSWERS_AT_ONCE = 8;

/** An answer of more bytes is large. */
const LARGE = 1024 * 1024;

/** Bodies in work may have so many times the size of the largest together. */
const BODIES_AT_ONCE = 2;

const NOTHING = Buffer.alloc(0);

export interface ServerOptions {
  readonly log: Logger;
  readonly maxBodyBytes: number;
  /** Throws for a request that is refused whatever it asks for. */
  readonly admit?: (request: IncomingMessage) => void;
  /** How long an answer may take to be taken, ms. */
  readonly longestDownload?: number;
  /** HTTPS. */
  readonly tls?: TlsOptions | undefined;
}

/**
 * The routes on one socket. Bodies are read whole, up to a limit. What a route throws is answered as JSON by the kind of the
 * error; what is our own fault goes to the log with its stack.
 */
export class HttpServer {
  private readonly routes: RouteTable;
  private readonly options: ServerOptions;
  private readonly server: Server;
  private readonly connections: Connections;
  private closing = false;
  /** Of bodies that are being read or worked on. */
  private bytes = 0;
  private largeAnswers = 0;

  constructor(routes: RouteTable, options: ServerOptions) {
    this.routes = routes;
    this.options = options;
    const times = { requestTimeout: LONGEST_UPLOAD_MS, keepAliveTimeout: LONGEST_IDLE_MS };
    const serve = (incoming: IncomingMessage, response: ServerResponse): void => void this.serve(incoming, response);
    const { tls } = options;
    this.server = tls === undefined ? createServer(times, serve) : createTlsServer({ ...times, ...tls }, serve);
    this.connections = new Connections(this.server, MOST_CONNECTIONS);
  }

  /** Rejects with the error of `listen` when the address cannot be had. */
  listen(address: ListenOptions): Promise<AddressInfo | string | null> {
    return new Promise((resolve, reject) => {
      this.server.once("error", reject);
      this.server.listen(address, () => {
        this.server.off("error", reject);
        resolve(this.server.address());
      });
    });
  }

  /** Takes no more requests, and waits for the answers to those that it has taken. Harmless when it does not listen. */
  close(): Promise<void> {
    this.closing = true;
    return new Promise((resolve) => this.server.close(() => resolve()));
  }

  private async serve(incoming: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method, url } = incoming;
    const began = performance.now();
    response.once("close", () => {
      const ms = Math.round(performance.now() - began);
      this.options.log.debug({ method, url, status: response.statusCode, ms }, "request");
    });
    const reply = await this.boundedReply(incoming, response).catch((error: unknown) => this.refusal(incoming, error));
    // Whoever is asked while we close is not to ask again on this connection, nor whoever still sends what nobody reads.
    if (this.closing || reply.status === 413 || reply.status === 503) response.setHeader("connection", "close");
    if (reply.status === 401) response.setHeader("www-authenticate", 'Bearer realm="tenuto"');
    await this.send(reply, response, method === "HEAD");
  }

  private async send(
    { content, status, headers }: HttpReply,
    response: ServerResponse,
    isHead: boolean,
  ): Promise<void> {
    if (typeof content === "function") {
      if (isHead) response.end();
      else content(response);
      return;
    }
    const late = setTimeout(() => response.destroy(), this.options.longestDownload ?? LONGEST_DOWNLOAD_MS).unref();
    response.once("close", () => clearTimeout(late));
    if (!(content instanceof LongAnswer)) {
      const length = Buffer.byteLength(content);
      response.writeHead(status, { ...headers, "content-length": length }).end(content);
      return;
    }
    response.writeHead(status, headers);
    if (isHead) {
      response.end();
      return;
    }
    await content.sendTo(response);
  }

  private async boundedReply(incoming: IncomingMessage, response: ServerResponse): Promise<HttpReply> {
    const reply = await this.reply(incoming, response);
    if (!isLarge(reply)) return reply;
    if (this.largeAnswers < LARGE_ANSWERS_AT_ONCE) {
      this.largeAnswers += 1;
      response.once("close", () => {
        this.largeAnswers -= 1;
      });
      return reply;
    }
    throw new RefusedError(503, "BUSY", "the agent is busy: too many large answers at once; ask again");
  }

  private async reply(incoming: IncomingMessage, response: ServerResponse): Promise<HttpReply> {
    const { method = "", url = "", headers } = incoming;
    if (this.closing) return HttpReply.json({ error: { code: "CLOSING", message: "the agent is closing" } }, 503);
    this.options.admit?.(incoming);
    const { path, query } = splitUrl(url);
    const route = this.find(method, path);
    if (route === undefined) return this.notFound(method, url);
    // The socket of a response that was sent is not known any more.
    const { socket } = incoming;
    const inWork = (): void => void response.once("close", this.connections.begin(socket));
    if (method === "GET" || method === "HEAD") {
      inWork();
      return await answered(route.handle({ headers, params: route.params, query, body: NOTHING }));
    }
    const encoding = headers["content-encoding"] ?? "identity";
    if (encoding !== "identity") {
      const message = `the body is encoded as ${encoding}; send it as it is`;
      throw new RefusedError(415, "CONTENT_ENCODING", message);
    }
    const room = new Room((bytes) => this.take(bytes));
    try {
      const body = await this.body(incoming, room);
      inWork();
      return await answered(route.handle({ headers, params: route.params, query, body }));
    } finally {
      this.bytes -= room.bytes;
    }
  }

  /** So many bytes more are in work. */
  private take(bytes: number): void {
    if (this.bytes + bytes > BODIES_AT_ONCE * this.options.maxBodyBytes) {
      throw new RefusedError(503, "BUSY", "the agent is busy: too many large requests at once; ask again");
    }
    this.bytes += bytes;
  }

  private find(method: string, path: string): ReturnType<RouteTable["find"]> {
    try {
      return this.routes.find(method, path);
    } catch (cause) {
      if (cause instanceof URIError) throw new RefusedError(400, "BAD_PATH", `${path} is not a valid path`);
      throw cause;
    }
  }

  private notFound(method: string, url: string): HttpReply {
    const message = `there is no ${method} ${url}; see "paths" for what there is`;
    return HttpReply.json({ error: { code: "NOT_FOUND", message }, paths: this.routes.list() }, 404);
  }

  private async body(incoming: IncomingMessage, room: Room): Promise<Buffer> {
    const { maxBodyBytes } = this.options;
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
      room.take(piece.length);
      pieces.push(piece);
    }
    return Buffer.concat(pieces, length);
  }

  private refusal({ method, url, destroyed, complete }: IncomingMessage, error: unknown): HttpReply {
    const status = statusOf(error);
    // Who hung up before the request was whole hears nothing of it, and did no harm.
    const isGone = destroyed && !complete;
    if (status >= 500 && !isGone) this.options.log.error({ err: error, method, url }, "request failed");
    return HttpReply.json(errorBody(error), status);
  }
}

function isLarge({ content }: HttpReply): boolean {
  return content instanceof LongAnswer || (typeof content !== "function" && content.length > LARGE);
}

/** What the body of one request takes of the server's. */
class Room {
  bytes = 0;

  /** `take` throws when there is not so much left. */
  constructor(private readonly takeMore: (bytes: number) => void) {}

  take(bytes: number): void {
    this.takeMore(bytes);
    this.bytes += bytes;
  }
}

async function answered(answer: object | null | Promise<object | null>): Promise<HttpReply> {
  const known = await answer;
  return known instanceof HttpReply ? known : HttpReply.json(known);
}

function splitUrl(url: string): { readonly path: string; readonly query: URLSearchParams } {
  const mark = url.indexOf("?");
  if (mark < 0) return { path: url, query: new URLSearchParams() };
  return { path: url.slice(0, mark), query: new URLSearchParams(url.slice(mark + 1)) };
}
