import { isIPv6 } from "node:net";

const DEFAULT_PORT = 9092;
const BROKER = /^(?:(?<name>[\w.-]+)|\[(?<address>[^\]]+)\])(?::(?<port>\d{1,5}))?$/;

/** Where a broker listens. An IPv6 address is without brackets. */
export interface BrokerAddress {
  readonly host: string;
  readonly port: number;
}

/** Reads a list of brokers as users write it: `host:9092,other,[::1]:9092`. Throws `TypeError` for what is none. */
export function parseBrokers(text: string): readonly BrokerAddress[] {
  return text
    .split(",")
    .map((part) => part.trim())
    .filter((part) => part !== "")
    .map((part) => {
      const { name, address = "", port = DEFAULT_PORT } = BROKER.exec(part)?.groups ?? {};
      const host = name ?? (isIPv6(address) ? address : undefined);
      if (host !== undefined && Number(port) >= 1 && Number(port) <= 65_535) return { host, port: Number(port) };
      throw new TypeError(
        `"${part}" is no address of a Kafka broker; expected host:port or [IPv6 address]:port, separated by commas`,
      );
    });
}
