import type { KeyValue } from "#core/northbound/index.js";
import type { InterfaceConfiguration } from "./configuration.js";

const NONE: InterfaceConfiguration = new Map();

/** What was handed to the scheduler for registered interfaces, by host name and by key. */
export class Applied {
  private readonly byInterface = new Map<string, InterfaceConfiguration>();
  private readonly interfaceOfKey = new Map<string, string>();

  /** A value: it stays as it is. */
  of(hostName: string): InterfaceConfiguration {
    return this.byInterface.get(hostName) ?? NONE;
  }

  /** The interface for which something was applied under the key. */
  interfaceOf(key: string): string | undefined {
    return this.interfaceOfKey.get(key);
  }

  *values(): IterableIterator<KeyValue> {
    for (const configuration of this.byInterface.values()) {
      for (const [key, value] of configuration) yield { key, value };
    }
  }

  /** A key that another interface had before is this one's now. */
  set(hostName: string, configuration: InterfaceConfiguration): void {
    for (const key of this.of(hostName).keys()) this.interfaceOfKey.delete(key);
    this.release(configuration.keys());
    for (const key of configuration.keys()) this.interfaceOfKey.set(key, hostName);
    if (configuration.size === 0) this.byInterface.delete(hostName);
    else this.byInterface.set(hostName, configuration);
  }

  /** Keys that are no registered interface's business any more. */
  release(keys: Iterable<string>): void {
    const left = new Map<string, Map<string, object>>();
    for (const key of keys) {
      const hostName = this.interfaceOfKey.get(key);
      if (hostName === undefined) continue;
      this.interfaceOfKey.delete(key);
      const rest = left.get(hostName) ?? new Map(this.of(hostName));
      rest.delete(key);
      left.set(hostName, rest);
    }
    for (const [hostName, rest] of left) this.byInterface.set(hostName, rest);
  }
}
