import type { TlsOptions } from "node:tls";
import { errorMessage, InvalidInputError } from "#core/errors.js";
import { readSettingFile } from "#core/files/index.js";
import type { HttpConfig } from "./config.js";

/** `undefined` without a certificate. Throws `InvalidInputError` for a file that cannot be read. */
export function tlsOptions({ tls }: Pick<HttpConfig, "tls">): TlsOptions | undefined {
  if (tls.cert_file === "") return undefined;
  const own = {
    cert: read("cert_file", tls.cert_file),
    key: read("key_file", tls.key_file),
    minVersion: "TLSv1.2",
  } as const;
  if (tls.client_ca_file === "") return own;
  return { ...own, ca: read("client_ca_file", tls.client_ca_file), requestCert: true, rejectUnauthorized: true };
}

function read(name: keyof HttpConfig["tls"], path: string): Buffer {
  try {
    return readSettingFile(path);
  } catch (cause) {
    const field = `http.tls.${name}`;
    throw new InvalidInputError("BAD_CERTIFICATE", `${field} cannot be read: ${errorMessage(cause)}`, { field, cause });
  }
}
