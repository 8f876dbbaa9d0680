import { token } from "#core/plugin/index.js";
import { SettledLinks } from "./settled-links.js";

/**
 * Which interfaces the agent's own namespace has, up or down, by host name. Unlike the obtained values of the scheduler, which
 * are there while an interface can be used, these are there while it exists: a card that was just plugged in is down, and
 * one whose cable was pulled has not gone. It has its alternative names too. An interface counts once it has been there for the settle delay.
 */
export interface HostInterfaces {
  has(hostName: string): boolean;
  names(): readonly string[];
  /** Called when an interface came or went. Returns the function that ends the watch. */
  watch(listener: (hostName: string, present: boolean) => void): () => void;
}

export const HostInterfaces = token<HostInterfaces>("HostInterfaces");

/** {@link HostInterfaces} as told by the kernel. */
export class PresentInterfaces implements HostInterfaces {
  /** To be told of the namespace's links. */
  readonly links: SettledLinks;
  private readonly listeners = new Set<(hostName: string, present: boolean) => void>();

  /** @param settleDelay in milliseconds. */
  constructor(settleDelay: number) {
    const listener = {
      link: (hostName: string, present: boolean): void => {
        for (const listen of this.listeners) listen(hostName, present);
      },
      address: (): void => undefined,
    };
    this.links = new SettledLinks(settleDelay, listener, () => true);
  }

  has(hostName: string): boolean {
    return this.names().includes(hostName);
  }

  names(): readonly string[] {
    return [...this.links.announced()].map(({ hostName }) => hostName);
  }

  watch(listener: (hostName: string, present: boolean) => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  close(): void {
    this.listeners.clear();
  }
}
