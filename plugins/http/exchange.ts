import type { IncomingHttpHeaders, ServerResponse } from "node:http";
import { hasLongList } from "#core/json-pieces.js";
import { LongAnswer } from "./long-answer.js";

/** The names in a path of the route table: `id` of `/v1/transactions/:id`, `key` of `/v1/config/*key`. */
export type ParameterOf<Path extends string> = Path extends `${string}:${infer Name}/${infer Rest}`
  ? Name | ParameterOf<`/${Rest}`>
  : Path extends `${string}:${infer Name}`
    ? Name
    : Path extends `${string}*${infer Name}`
      ? Name
      : never;

/** A request that has been read whole. */
export interface Request<Parameter extends string = never> {
  readonly headers: IncomingHttpHeaders;
  /** Parts of the path by the names that the route has for them, decoded. */
  readonly params: Readonly<Record<Parameter, string>>;
  readonly query: URLSearchParams;
  /** Empty for GET, and when nothing was sent. */
  readonly body: Buffer;
}

/** Answers a request with a {@link HttpReply}, or with a value that is sent as JSON with status 200; throws what is answered as an error. */
export type Handler<Parameter extends string = never> = (
  request: Request<Parameter>,
) => object | null | Promise<object | null>;

type Content = string | Uint8Array | LongAnswer | ((response: ServerResponse) => void);

/** An answer that is not just a value with status 200. */
export class HttpReply {
  private constructor(
    readonly content: Content,
    readonly status: number,
    readonly headers: Readonly<Record<string, string>>,
  ) {}

  static json(value: object | null, status = 200): HttpReply {
    const content = hasLongList(value) ? new LongAnswer(value) : JSON.stringify(value);
    return new HttpReply(content, status, { "content-type": "application/json; charset=utf-8" });
  }

  static of(
    type: string,
    content: string | Uint8Array,
    {
      status = 200,
      headers = {},
    }: { readonly status?: number; readonly headers?: Readonly<Record<string, string>> } = {},
  ): HttpReply {
    return new HttpReply(content, status, { ...headers, "content-type": type });
  }

  /** An answer that goes on: whoever takes the response writes its head and ends it. */
  static stream(take: (response: ServerResponse) => void): HttpReply {
    return new HttpReply(take, 200, {});
  }
}
