import { BugError } from "#core/errors.js";
import type { Handler, ParameterOf } from "./exchange.js";

type Method = "GET" | "POST" | "PUT" | "DELETE";

interface Route {
  readonly method: Method;
  readonly path: string;
  readonly segments: readonly string[];
  readonly handle: Handler<string>;
}

export interface FoundRoute {
  readonly handle: Handler<string>;
  readonly params: Readonly<Record<string, string>>;
}

/**
 * What there is to ask for. A segment of a path that begins with a colon stands for any text but nothing; a last segment `*` for
 * any number of segments. The first route that fits is taken.
 */
export class RouteTable {
  readonly #routes: Route[] = [];

  get<Path extends string>(path: Path, handle: Handler<ParameterOf<Path>>): void {
    this.#add("GET", path, handle);
  }

  post<Path extends string>(path: Path, handle: Handler<ParameterOf<Path>>): void {
    this.#add("POST", path, handle);
  }

  put<Path extends string>(path: Path, handle: Handler<ParameterOf<Path>>): void {
    this.#add("PUT", path, handle);
  }

  delete<Path extends string>(path: Path, handle: Handler<ParameterOf<Path>>): void {
    this.#add("DELETE", path, handle);
  }

  /** Every route as `GET /path`. */
  list(): readonly string[] {
    return this.#routes.map(({ method, path }) => `${method} ${path}`).sort();
  }

  /** The route for a path without its query. HEAD is GET. Throws `URIError` for a path that cannot be decoded. */
  find(method: string, path: string): FoundRoute | undefined {
    const wanted = method === "HEAD" ? "GET" : method;
    const asked = segmentsOf(path).map(decodeURIComponent);
    for (const route of this.#routes) {
      if (route.method !== wanted) continue;
      const params = matched(route.segments, asked);
      if (params !== undefined) return { handle: route.handle, params };
    }
    return undefined;
  }

  #add<Parameter extends string>(method: Method, path: string, handle: Handler<Parameter>): void {
    if (this.#routes.some((route) => route.method === method && route.path === path)) {
      throw new BugError("ROUTE_TWICE", `two plugins have the HTTP route ${method} ${path}`);
    }
    this.#routes.push({ method, path, segments: segmentsOf(path), handle });
  }
}

function segmentsOf(path: string): readonly string[] {
  return path.split("/").slice(1);
}

function matched(pattern: readonly string[], asked: readonly string[]): FoundRoute["params"] | undefined {
  const params: Record<string, string> = {};
  for (const [index, segment] of pattern.entries()) {
    const text = asked[index];
    if (text === undefined) return undefined;
    if (segment === "*") return { ...params, "*": asked.slice(index).join("/") };
    if (!segment.startsWith(":")) {
      if (segment !== text) return undefined;
    } else if (text === "") {
      return undefined;
    } else {
      params[segment.slice(1)] = text;
    }
  }
  return asked.length === pattern.length ? params : undefined;
}
