import { connect as connectPlain, isIP, isIPv6, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import type { ISocketFactory } from "kafkajs";

/** As kafkajs's own sockets, ms. */
const KEEP_ALIVE_DELAY = 60_000;

/** Stands for a colon; no host name has one. */
const COLON = "~";

/** A host in a form that survives kafkajs, which ends the host of a first broker at its first colon. */
export function withoutColons(host: string): string {
  return isIPv6(host) ? host.replaceAll(":", COLON) : host;
}

function withColons(host: string): string {
  const address = host.replaceAll(COLON, ":");
  return isIPv6(address) ? address : host;
}

/** Connects as kafkajs would, also to what {@link withoutColons} made. Brokers that the cluster names come as they are. */
export const socketFactory: ISocketFactory = ({ host: name, port, ssl, onConnect }): Socket => {
  const host = withColons(name);
  const servername = isIP(host) === 0 ? { servername: host } : {};
  const socket = ssl
    ? connectTls({ host, port, ...servername, ...ssl }, onConnect)
    : connectPlain({ host, port }, onConnect);
  return socket.setKeepAlive(true, KEEP_ALIVE_DELAY);
};
