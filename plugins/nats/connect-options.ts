import { type ConnectionOptions, credsAuthenticator, nkeyAuthenticator, type TlsOptions } from "nats";
import { BusError, errorMessage } from "#core/errors.js";
import { readSettingFile } from "#core/files/index.js";
import { identityCheck, type NatsAddress, parseNatsAddress } from "#proto/nats-address.js";
import type { NatsConfig } from "./config.js";

function readCredential(field: string, file: string): Uint8Array {
  try {
    return readSettingFile(file);
  } catch (error) {
    throw new BusError("BAD_CREDENTIALS", `cannot read nats.${field}: ${errorMessage(error)}`, { field, cause: error });
  }
}

/** An nkey seed file made with an editor ends with a newline, which is not part of the seed. */
function withoutBlanks(bytes: Uint8Array): Uint8Array {
  return Buffer.from(Buffer.from(bytes).toString("utf8").trim());
}

/** The line of a file; `undefined` when none is named. */
function secretOf(field: "password_file" | "token_file", config: NatsConfig): string | undefined {
  if (config[field] === "") return undefined;
  return Buffer.from(withoutBlanks(readCredential(field, config[field]))).toString("utf8");
}

function tlsOptions(config: NatsConfig, address: NatsAddress): TlsOptions | undefined {
  const { enabled, ca_file, cert_file, key_file } = config.tls;
  if (!enabled && !address.tls && ca_file === "" && cert_file === "") return undefined;
  const options = {
    ...(ca_file === "" ? {} : { caFile: ca_file }),
    ...(cert_file === "" ? {} : { certFile: cert_file }),
    ...(key_file === "" ? {} : { keyFile: key_file }),
    // Not among the library's own options: it hands what it does not know to Node's TLS.
    checkServerIdentity: identityCheck(address.servers),
  };
  return options;
}

/**
 * What the NATS library needs for one connection. Credentials are read now, so that a file that was replaced counts from
 * the next connect on; one that cannot be read throws `BusError`. The library's own reconnecting is off: a connection
 * that is lost is replaced by a new one (see `connection.ts`).
 */
export function connectOptions(
  config: NatsConfig,
  { name, inbox }: { readonly name: string; readonly inbox: string },
  discovered: readonly string[],
): ConnectionOptions {
  const address = parseNatsAddress(config.url);
  const tls = tlsOptions(config, address);
  const user = config.user || address.user;
  const password = config.password || secretOf("password_file", config) || address.password;
  const token = config.token || secretOf("token_file", config) || address.token;
  const options: ConnectionOptions = {
    servers: [...new Set([...address.servers, ...discovered])],
    name,
    inboxPrefix: inbox,
    reconnect: false,
    timeout: config.connect_timeout,
    pingInterval: config.ping_interval,
    maxPingOut: 2,
    // Of every request two stacks would be written down, in case it fails: each costs as much as the request.
    noAsyncTraces: true,
    ...(tls === undefined ? {} : { tls }),
    ...(user === undefined ? {} : { user }),
    ...(password === undefined ? {} : { pass: password }),
    ...(token === undefined ? {} : { token }),
  };
  if (config.credentials_file !== "") {
    options.authenticator = credsAuthenticator(readCredential("credentials_file", config.credentials_file));
  } else if (config.nkey_seed_file !== "") {
    options.authenticator = nkeyAuthenticator(withoutBlanks(readCredential("nkey_seed_file", config.nkey_seed_file)));
  }
  return options;
}
