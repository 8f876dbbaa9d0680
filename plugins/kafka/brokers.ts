const DEFAULT_PORT = 9092;
const BROKER = /^(?<host>[\w.-]+)(?::(?<port>\d{1,5}))?$/;

/**
 * Reads a list of brokers as users write it: `host:9092,other`. Returns `host:port` of each. Throws `TypeError` for what
 * is none; IPv6 addresses are among that, since kafkajs cannot take them: a host name is needed there.
 */
export function parseBrokers(text: string): readonly string[] {
  return text
    .split(",")
    .map((part) => part.trim())
    .filter((part) => part !== "")
    .map((part) => {
      const { host, port = String(DEFAULT_PORT) } = BROKER.exec(part)?.groups ?? {};
      if (host !== undefined && Number(port) >= 1 && Number(port) <= 65_535) return `${host}:${port}`;
      throw new TypeError(`"${part}" is no address of a Kafka broker; expected host:port, separated by commas`);
    });
}
