import type { ConnectionOptions } from "node:tls";
import type { KafkaConfig as ClientOptions, ISocketFactory, SASLOptions } from "kafkajs";
import { BusError, errorMessage } from "#core/errors.js";
import { readSettingFile } from "#core/files/index.js";
import { topicFor } from "#proto/kafka.js";
import { parseBrokers } from "../brokers.js";
import type { KafkaConfig } from "../config.js";
import { socketFactory, withoutColons } from "./ipv6.js";

/** kafkajs tries again by itself inside of one request; more than that is up to whoever asked. */
const RETRY = { retries: 2, initialRetryTime: 100, maxRetryTime: 1_000 } as const;

function readCredential(field: string, file: string): string {
  try {
    return readSettingFile(file).toString("utf8");
  } catch (error) {
    throw new BusError("BAD_CREDENTIALS", `cannot read kafka.${field}: ${errorMessage(error)}`, {
      field: `kafka.${field}`,
      cause: error,
    });
  }
}

/** A secret in a file made with an editor ends with a newline, which is not part of it. */
function secret(field: string, inline: string, file: string): string {
  return file === "" ? inline : readCredential(field, file).trim();
}

function tlsOptions({ tls }: KafkaConfig): ConnectionOptions | undefined {
  const { enabled, ca_file, cert_file, key_file } = tls;
  if (!enabled && ca_file === "" && cert_file === "") return undefined;
  return {
    ...(ca_file === "" ? {} : { ca: readCredential("tls.ca_file", ca_file) }),
    ...(cert_file === "" ? {} : { cert: readCredential("tls.cert_file", cert_file) }),
    ...(key_file === "" ? {} : { key: readCredential("tls.key_file", key_file) }),
  };
}

function saslOptions({ sasl }: KafkaConfig): SASLOptions | undefined {
  const { mechanism, username } = sasl;
  if (mechanism === "none") return undefined;
  if (mechanism === "oauthbearer") {
    const token = (): string => secret("sasl.token_file", sasl.token, sasl.token_file);
    return { mechanism, oauthBearerProvider: async () => ({ value: token() }) };
  }
  const password = secret("sasl.password_file", sasl.password, sasl.password_file);
  switch (mechanism) {
    case "plain":
      return { mechanism, username, password };
    case "scram-sha-256":
      return { mechanism, username, password };
    case "scram-sha-512":
      return { mechanism, username, password };
  }
}

/**
 * What kafkajs needs to know of the cluster. Credentials are read now, so that a file that was replaced counts from the
 * next connect on; one that cannot be read throws `BusError`.
 */
export function clientOptions(
  config: KafkaConfig,
  label: string,
): ClientOptions & { readonly socketFactory: ISocketFactory } {
  const ssl = tlsOptions(config);
  const sasl = saslOptions(config);
  return {
    brokers: parseBrokers(config.brokers).map(({ host, port }) => `${withoutColons(host)}:${port}`),
    socketFactory,
    clientId: topicFor(config.client_id, label),
    connectionTimeout: config.connect_timeout,
    authenticationTimeout: config.request_timeout,
    requestTimeout: config.request_timeout,
    retry: RETRY,
    ...(ssl === undefined ? {} : { ssl }),
    ...(sasl === undefined ? {} : { sasl }),
  };
}
