import type { IncomingMessage } from "node:http";
import { hostname } from "node:os";
import { RefusedError } from "./errors.js";
import { namedHost } from "./host-header.js";

/** Methods that change nothing. */
const SAFE = new Set(["GET", "HEAD"]);
/** `Sec-Fetch-Site` of our own page, and of what somebody typed into a browser. */
const OWN_SITES = new Set(["same-origin", "none"]);

export interface PageRules {
  /** Names besides `localhost`, the host's own and addresses. */
  readonly allowedHosts: readonly string[];
  readonly scheme: "http" | "https";
}

/**
 * Throws for what a web page in a browser on this machine could send to a TCP socket. A page whose host name was made to point
 * here (DNS rebinding) shows in `Host`; a page that posts to us directly shows in `Origin`, or in what the browser says of where
 * the request comes from (`Sec-Fetch-Site`).
 */
export function foreignPageRefusal({ allowedHosts, scheme }: PageRules): (request: IncomingMessage) => void {
  const known = new Set(["localhost", hostname(), ...allowedHosts].map((name) => name.toLowerCase()));
  return ({ method = "", headers }) => {
    const { host: header = "", origin } = headers;
    const named = namedHost(header);
    if (named === undefined || (!named.isAddress && !known.has(named.host))) {
      throw new RefusedError(
        403,
        "FOREIGN_HOST",
        `host "${header}" is not this agent's; http.tcp.allowed_hosts says which names are`,
      );
    }
    if (origin !== undefined && origin !== `${scheme}://${header}`) {
      throw new RefusedError(403, "FOREIGN_ORIGIN", `pages of ${origin} may not use this API`);
    }
    const site = headers["sec-fetch-site"];
    if (typeof site === "string" && !OWN_SITES.has(site) && !SAFE.has(method)) {
      throw new RefusedError(403, "FOREIGN_ORIGIN", "pages of other sites may not use this API");
    }
  };
}
