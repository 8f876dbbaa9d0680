import { type MatchFunction, match } from "path-to-regexp";
import { BugError } from "#core/errors.js";
import type { Handler, ParameterOf } from "./exchange.js";

type Method = "GET" | "POST" | "PUT" | "DELETE";

interface Route {
  readonly method: Method;
  readonly path: string;
  readonly match: MatchFunction<Partial<Record<string, string | string[]>>>;
  readonly handle: Handler<string>;
}

export interface MatchedHandler {
  readonly handle: Handler<string>;
  readonly params: Readonly<Record<string, string>>;
}

/** What there is to ask for, by patterns of path-to-regexp, to the letter. The first route that fits is taken. */
export class RouteTable {
  private readonly routes: Route[] = [];

  get<Path extends string>(path: Path, handle: Handler<ParameterOf<Path>>): void {
    this.add("GET", path, handle);
  }

  post<Path extends string>(path: Path, handle: Handler<ParameterOf<Path>>): void {
    this.add("POST", path, handle);
  }

  put<Path extends string>(path: Path, handle: Handler<ParameterOf<Path>>): void {
    this.add("PUT", path, handle);
  }

  delete<Path extends string>(path: Path, handle: Handler<ParameterOf<Path>>): void {
    this.add("DELETE", path, handle);
  }

  /** Every route as `GET /path`. */
  list(): readonly string[] {
    return this.routes.map(({ method, path }) => `${method} ${path}`).sort();
  }

  /** The route for a path without its query. HEAD is GET. Throws `URIError` for a path that cannot be decoded. */
  find(method: string, path: string): MatchedHandler | undefined {
    const desired = method === "HEAD" ? "GET" : method;
    for (const route of this.routes) {
      const found = route.method === desired && route.match(path);
      if (found) return { handle: route.handle, params: Object.fromEntries(Object.entries(found.params).map(asText)) };
    }
    return undefined;
  }

  private add<Parameter extends string>(method: Method, path: string, handle: Handler<Parameter>): void {
    if (this.routes.some((route) => route.method === method && route.path === path)) {
      throw new BugError("ROUTE_TWICE", `two plugins have the HTTP route ${method} ${path}`);
    }
    this.routes.push({ method, path, match: match(path, { sensitive: true, trailing: false }), handle });
  }
}

/** A `*name` stands for several segments. */
function asText([name, value = ""]: readonly [string, string | string[] | undefined]): readonly [string, string] {
  return [name, typeof value === "string" ? value : value.join("/")];
}
