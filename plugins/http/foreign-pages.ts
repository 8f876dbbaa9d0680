import type { IncomingHttpHeaders } from "node:http";
import { isIP } from "node:net";
import { hostname } from "node:os";
import { RefusedError } from "./errors.js";

/**
 * Throws for what a web page in a browser on this machine could send to a TCP socket. A page whose host name was made to point
 * here (DNS rebinding) shows in `Host`; a page that posts to us directly shows in `Origin`.
 */
export function foreignPageRefusal(allowedHosts: readonly string[]): (headers: IncomingHttpHeaders) => void {
  const known = new Set(["localhost", hostname(), ...allowedHosts].map((name) => name.toLowerCase()));
  return ({ host = "", origin }) => {
    const name = hostName(host);
    if (!known.has(name) && isIP(name) === 0) {
      throw new RefusedError(
        403,
        "FOREIGN_HOST",
        `host "${name}" is not this agent's; http.tcp.allowed_hosts says which names are`,
      );
    }
    if (origin !== undefined && origin !== `http://${host}`) {
      throw new RefusedError(403, "FOREIGN_ORIGIN", `pages of ${origin} may not use this API`);
    }
  };
}

/** The host of a `Host` header, in lower case, without port and brackets. */
function hostName(host: string): string {
  return (/^\[([^\]]*)\]/.exec(host)?.[1] ?? host.split(":", 1)[0] ?? "").toLowerCase();
}
