import { didYouMean } from "#core/config/index.js";
import { InvalidInputError } from "#core/errors.js";
import type { Flavor } from "#core/flavor/index.js";

interface FlavorEntry {
  readonly name: string;
  readonly description: string;
  /** Imports the flavor's own plugins only: starting one flavor does not pay for the others. */
  readonly load: () => Promise<Flavor>;
}

const ENTRIES: readonly FlavorEntry[] = [
  {
    name: "embedded",
    description: "no bus: local socket, in-process calls and a directory of files",
    load: async () => (await import("./embedded.js")).embedded,
  },
  {
    name: "nats",
    description: "NATS: requests, JetStream KV, state subjects",
    load: async () => (await import("./nats.js")).nats,
  },
  {
    name: "kafka",
    description: "Kafka: command and result topics, desired state from a compacted topic",
    load: async () => (await import("./kafka.js")).kafka,
  },
  {
    name: "full",
    description: "NATS, Kafka, a directory of files, and configuration at plug time",
    load: async () => (await import("./full.js")).full,
  },
  {
    name: "ifmgr",
    description: "NATS, and configuration at plug time for registered interfaces",
    load: async () => (await import("./ifmgr.js")).ifmgr,
  },
];

/** Flavors that come with Tenuto, for listings. */
export function flavorList(): readonly { readonly name: string; readonly description: string }[] {
  return ENTRIES.map(({ name, description }) => ({ name, description }));
}

/** A flavor that comes with Tenuto. Throws `InvalidInputError` (`FLAVOR_UNKNOWN`) that lists what there is. */
export async function flavorNamed(name: string): Promise<Flavor> {
  const entry = ENTRIES.find((one) => one.name === name);
  if (entry !== undefined) return entry.load();
  const names = ENTRIES.map((one) => one.name);
  throw new InvalidInputError(
    "FLAVOR_UNKNOWN",
    `there is no flavor "${name}" in this version, expected one of: ${names.join(", ")}${didYouMean(name, names)}`,
    { field: "flavor" },
  );
}
