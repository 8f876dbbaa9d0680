import { isIP } from "node:net";
import { checkServerIdentity } from "node:tls";

/** Where a NATS cluster is, as users write it: one or several URLs separated by commas. */
export interface NatsAddress {
  /** `host:port`, as the NATS library takes it. */
  readonly servers: readonly string[];
  readonly user?: string;
  readonly password?: string;
  /** User information without a password (`nats://s3cret@host`) is a token, as in the `nats` command line. */
  readonly token?: string;
  /** A `tls://` URL asks for TLS even when the server does not insist. */
  readonly tls: boolean;
}

const DEFAULT_PORT = 4222;

function parseServer(text: string): URL {
  const full = text.includes("://") ? text : `nats://${text}`;
  if (!URL.canParse(full) || new URL(full).hostname === "") {
    throw new TypeError("not an address of a NATS server; expected nats://host:port");
  }
  const url = new URL(full);
  if (url.protocol !== "nats:" && url.protocol !== "tls:") {
    throw new TypeError(`a NATS address begins with nats:// or tls://, not ${url.protocol}//`);
  }
  return url;
}

/** Reads one or several URLs: `nats://127.0.0.1:4222`, `tls://user:password@host`, `a:4222,b:4222`. Throws `TypeError`. */
export function parseNatsAddress(text: string): NatsAddress {
  const urls = text
    .split(",")
    .map((part) => part.trim())
    .filter((part) => part !== "")
    .map(parseServer);
  const named = urls.find((url) => url.username !== "");
  const user = decodeURIComponent(named?.username ?? "");
  const password = decodeURIComponent(named?.password ?? "");
  return {
    servers: urls.map((url) => `${url.hostname}:${url.port === "" ? DEFAULT_PORT : url.port}`),
    tls: urls.some((url) => url.protocol === "tls:"),
    ...(user === "" ? {} : password === "" ? { token: user } : { user, password }),
  };
}

/**
 * How to check the certificate of one of these servers. The NATS library names a server that it reaches by IP address
 * "localhost" to TLS, so that a certificate for the address would be refused: such a one has to fit one of the addresses.
 */
export function identityCheck(servers: readonly string[]): typeof checkServerIdentity {
  const addresses = servers
    .map((server) => server.replace(/:\d+$/, "").replace(/^\[|\]$/g, ""))
    .filter((host) => isIP(host) !== 0);
  return (host, certificate) => {
    const error = checkServerIdentity(host, certificate);
    const byAddress = host === "localhost" && addresses.some((address) => !checkServerIdentity(address, certificate));
    return byAddress ? undefined : error;
  };
}
