import { z } from "zod";
import { isLoopback } from "./host-header.js";

const octalMode = z
  .union([
    z.string().regex(/^0?[0-7]{3}$/, "must be an octal file mode such as 0660"),
    z.number().int().min(0).max(0o777),
  ])
  .transform((mode) => (typeof mode === "number" ? mode : Number.parseInt(mode, 8)));

/** Section `http` of the configuration. */
export const httpConfig = z
  .strictObject({
    socket: z
      .string()
      .default("")
      .describe(
        "Path of the local socket. Empty: /run/tenuto/<label>.sock, or below $XDG_RUNTIME_DIR for an ordinary user.",
      ),
    socket_mode: octalMode.prefault("0660").describe("Access rights of the local socket, octal, in quotes."),
    max_body_bytes: z
      .number()
      .int()
      .positive()
      .default(64 * 1024 * 1024)
      .describe("Largest request body that is accepted, in bytes. Bodies in work have twice as many together."),
    token_file: z
      .string()
      .default("")
      .describe("File with the token that requests over TCP have to bring. Read again when it changes."),
    metrics_token_file: z
      .string()
      .default("")
      .describe("File with another token, which is good for GET /metrics alone."),
    tls: z
      .strictObject({
        cert_file: z.string().default("").describe("Certificate of the TCP API; with it, it is HTTPS."),
        key_file: z.string().default(""),
        client_ca_file: z
          .string()
          .default("")
          .describe("With it, only clients with a certificate of this authority may connect (mutual TLS)."),
      })
      .prefault({}),
    tcp: z
      .strictObject({
        enabled: z.boolean().default(false).describe("Serve the same API over TCP."),
        host: z
          .string()
          .min(1)
          .default("127.0.0.1")
          .describe("Address to listen on. Anything but loopback needs http.token_file or http.tls.client_ca_file."),
        port: z.number().int().min(0).max(65535).default(9191).describe("TCP port; 0 takes a free one."),
        allowed_hosts: z
          .array(z.string().min(1))
          .default([])
          .describe("Host names, besides localhost and IP addresses, under which requests may reach the TCP API."),
      })
      .prefault({}),
  })
  .superRefine(({ tcp, tls, token_file, metrics_token_file }, context) => {
    const refuse = (path: readonly string[], message: string): void => {
      context.addIssue({ code: "custom", path: [...path], message });
    };
    if (tcp.enabled && !isLoopback(tcp.host) && token_file === "" && tls.client_ca_file === "") {
      refuse(
        ["tcp", "host"],
        "opens the API to the network: set http.token_file or http.tls.client_ca_file, or listen on 127.0.0.1",
      );
    }
    if ((tls.cert_file === "") !== (tls.key_file === "")) refuse(["tls"], "needs both cert_file and key_file");
    if (tls.client_ca_file !== "" && tls.cert_file === "") {
      refuse(["tls", "client_ca_file"], "needs cert_file and key_file as well");
    }
    if (metrics_token_file !== "" && token_file === "") {
      refuse(["metrics_token_file"], "restricts nothing without http.token_file");
    }
  });

export type HttpConfig = z.infer<typeof httpConfig>;
