import { z } from "zod";

const octalMode = z
  .union([
    z.string().regex(/^0?[0-7]{3}$/, "must be an octal file mode such as 0660"),
    z.number().int().min(0).max(0o777),
  ])
  .transform((mode) => (typeof mode === "number" ? mode : Number.parseInt(mode, 8)));

/** Section `http` of the configuration. */
export const httpConfig = z.strictObject({
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
    .describe("Largest request body that is accepted, in bytes."),
  tcp: z
    .strictObject({
      enabled: z.boolean().default(false).describe("Serve the same API over TCP. It has no authentication."),
      host: z
        .string()
        .min(1)
        .default("127.0.0.1")
        .describe("Address to listen on. Anything but loopback opens the API to the network."),
      port: z.number().int().min(0).max(65535).default(9191).describe("TCP port; 0 takes a free one."),
      allowed_hosts: z
        .array(z.string().min(1))
        .default([])
        .describe("Host names, besides localhost and IP addresses, under which requests may reach the TCP API."),
    })
    .prefault({}),
});

export type HttpConfig = z.infer<typeof httpConfig>;
