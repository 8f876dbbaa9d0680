import type { DesiredView } from "#core/northbound/index.js";
import { parseRegistrationKey, REGISTRATION_PREFIX, type Registration, registrationKey } from "#proto/index.js";

/** Which interfaces are registered: by a desired value each, or by a pattern of the configuration. */
export class Registrations {
  private readonly patterns: readonly RegExp[];
  private desired: DesiredView | undefined;
  private hostNames: readonly string[] = [];

  /** @param patterns host names, in which `*` stands for any characters and `?` for one. */
  constructor(patterns: readonly string[]) {
    this.patterns = patterns.map(patternOf);
  }

  /** Lists the desired registrations anew. */
  read(desired: DesiredView): void {
    this.desired = desired;
    this.hostNames = desired
      .merged(REGISTRATION_PREFIX)
      .flatMap(({ key }) => parseRegistrationKey(key)?.hostInterface ?? []);
  }

  /** Host names that are registered by a value, as of the last {@link read}. */
  names(): readonly string[] {
    return this.hostNames;
  }

  /** Is it registered, by what is desired at this moment? */
  has(hostName: string): boolean {
    return this.valueOf(hostName) !== undefined || this.matchesPattern(hostName);
  }

  matchesPattern(hostName: string): boolean {
    return this.patterns.some((pattern) => pattern.test(hostName));
  }

  /** The registration by value, `undefined` for one by pattern. */
  valueOf(hostName: string): Registration | undefined {
    return this.desired?.get(registrationKey(hostName));
  }
}

/** `eth*` as an expression for the whole name. */
export function patternOf(pattern: string): RegExp {
  const escaped = pattern.replaceAll(/[.+^${}()|[\]\\]/g, "\\$&");
  return new RegExp(`^${escaped.replaceAll("*", ".*").replaceAll("?", ".")}$`);
}
