import type { IncomingMessage } from "node:http";
import { InvalidInputError } from "#core/errors.js";
import { BearerToken } from "./bearer-token.js";
import type { HttpConfig } from "./config.js";
import { RefusedError } from "./errors.js";
import { foreignPageRefusal } from "./foreign-pages.js";

/** The page is the same for everybody, and asks for the token that its own requests need. */
const OPEN_PATHS = new Set(["/"]);

/** Throws for a request over TCP that is refused whatever it asks for. */
export type Admission = (request: IncomingMessage) => void;

/**
 * Who may use the API over TCP: no foreign pages, and with `http.token_file` only who knows the token. The token of
 * `http.metrics_token_file` is good for `GET /metrics` alone. Throws `InvalidInputError` when a file cannot be used; one that cannot be
 * used any more lets nobody in: who needs it is answered with 503, and `tell` gets the reason, and `undefined` once it is good again.
 */
export function tcpAdmission(
  { tcp, tls, token_file, metrics_token_file }: HttpConfig,
  tell: (problem: string | undefined) => void,
): Admission {
  const scheme = tls.cert_file === "" ? "http" : "https";
  const refuseForeign = foreignPageRefusal({ allowedHosts: tcp.allowed_hosts, scheme });
  const token = token_file === "" ? undefined : new BearerToken(token_file, "http.token_file");
  const forMetrics =
    metrics_token_file === "" ? undefined : new BearerToken(metrics_token_file, "http.metrics_token_file");
  token?.check();
  forMetrics?.check();
  let told: string | undefined;
  const note = (problem: string | undefined): void => {
    if (problem !== told) tell(problem);
    told = problem;
  };
  const isGiven = (secret: BearerToken, authorization: string | undefined): boolean => {
    try {
      const given = secret.isGivenBy(authorization);
      note(undefined);
      return given;
    } catch (error) {
      if (!(error instanceof InvalidInputError)) throw error;
      note(error.message);
      throw new RefusedError(503, error.code, error.message);
    }
  };
  return (request) => {
    refuseForeign(request);
    if (token === undefined) return;
    const path = request.url?.split("?", 1)[0] ?? "";
    const isReading = request.method === "GET" || request.method === "HEAD";
    if (isReading && OPEN_PATHS.has(path)) return;
    const { authorization } = request.headers;
    if (isGiven(token, authorization)) return;
    if (isReading && path === "/metrics" && forMetrics !== undefined && isGiven(forMetrics, authorization)) return;
    throw new RefusedError(
      401,
      "UNAUTHORIZED",
      "the request needs the token of http.token_file, as the header Authorization: Bearer …",
    );
  };
}
