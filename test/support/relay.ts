/**
 * The way out of the sandbox to brokers that all tests share. A test process has a network of its own, but a Unix socket is a
 * file, which crosses network namespaces: outside, {@link relayFrom} listens on one and pipes to the broker's TCP port;
 * inside, {@link relayTo} listens on that same address and port and pipes to the socket, so that clients (and what a
 * broker advertises of itself) need not know.
 */
import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { connect, createServer, isIP, type Server, type Socket } from "node:net";
import { join } from "node:path";
import { pipeline } from "node:stream";

export interface Endpoint {
  /** IP address. */
  readonly host: string;
  readonly port: number;
}

export interface Relay {
  close(): Promise<void>;
}

/**
 * Outside: pipes whoever connects to the Unix socket to the broker's endpoint. `ready` is awaited by each connection, so
 * that the broker can be started by the first one.
 */
export function relayFrom(directory: string, endpoint: Endpoint, ready: () => Promise<unknown>): Promise<Relay> {
  return relay({ path: socketPath(directory, endpoint) }, async () => {
    await ready();
    return connect(endpoint);
  });
}

/** Inside: pipes whoever connects to the broker's address in this network namespace to the Unix socket. */
export function relayTo(directory: string, endpoint: Endpoint): Promise<Relay> {
  if (!endpoint.host.startsWith("127.")) {
    execFileSync("ip", ["address", "replace", endpoint.host, "dev", "lo"], { stdio: "pipe" });
  }
  return relay(endpoint, async () => connect(socketPath(directory, endpoint)));
}

function socketPath(directory: string, { host, port }: Endpoint): string {
  return join(directory, `${host.replaceAll(":", "_")}_${port}.sock`);
}

async function relay(listen: { path: string } | Endpoint, reach: () => Promise<Socket>): Promise<Relay> {
  const open = new Set<Socket>();
  const track = (socket: Socket): Socket => {
    open.add(socket);
    return socket.once("close", () => open.delete(socket));
  };
  // A broken connection on one side ends the other; client and broker see what they would see of each other.
  const server: Server = createServer((client) => {
    track(client);
    reach().then(
      (broker) => {
        pipeline(client, track(broker), client, () => undefined);
      },
      (error) => client.destroy(error),
    );
    client.on("error", () => undefined);
  });
  server.unref();
  await once(server.listen(listen), "listening");
  return {
    async close() {
      const closed = once(server.close(), "close");
      for (const socket of open) socket.destroy();
      await closed;
    },
  };
}

/** Splits `nats://user@host:port,host:port` into endpoints. Every host must be an IP address or `localhost`. */
export function endpointsOf(addresses: string, defaultPort: number): readonly Endpoint[] {
  return addresses.split(",").map((address) => {
    const url = new URL(address.includes("://") ? address : `tcp://${address}`);
    const host = url.hostname === "localhost" ? "127.0.0.1" : url.hostname.replace(/^\[|\]$/g, "");
    if (isIP(host) === 0) throw new Error(`${address}: tests need the broker's IP address, not its name`);
    return { host, port: Number(url.port || defaultPort) };
  });
}
