import { z } from "zod";
import { duration } from "#core/config/duration.js";
import { errorMessage } from "#core/errors.js";
import { PluginHealthReporter } from "#core/health/types.js";
import { Logger } from "#core/logging/types.js";
import { inject, type Plugin, PluginConfig, plugin, provide } from "#core/plugin/index.js";
import { Scheduler } from "#core/scheduler/token.js";
import type { RetrievedValue } from "#core/scheduler/types.js";
import { type Link, Netlink, type NetlinkEvent } from "#plugins/netlink/index.js";
import {
  canonicalInterfaceAddress,
  HOST_NAME_PREFIX,
  HOST_PRESENT_PREFIX,
  hostNameAddressKey,
  hostNameKey,
  hostPresentKey,
} from "#proto/index.js";
import { HostInterfaces, PresentInterfaces } from "./host-interfaces.js";
import { SettledLinks } from "./settled-links.js";

export const interfaceWatcherConfig = z.strictObject({
  settle_delay: duration
    .prefault("500ms")
    .describe("How long an interface must have been there before it is announced; it is made in several steps"),
});

export type InterfaceWatcherConfig = z.infer<typeof interfaceWatcherConfig>;

/**
 * Tells the scheduler which interfaces the agent's own namespace has, whoever made them: an obtained value under
 * `linux/interface/present/<host name>` for each, and while it can be used another under
 * `linux/interface/host-name/<host name>`, with its addresses below it. The latter follows vpp-agent's InterfaceWatcher.
 */
@plugin({
  name: "interface-watcher",
  description: "Interfaces of the host, whoever made them, as values that others can depend on.",
  config: interfaceWatcherConfig,
  provides: [provide(HostInterfaces, (watcher: InterfaceWatcherPlugin) => watcher.present)],
})
export class InterfaceWatcherPlugin implements Plugin {
  readonly present: PresentInterfaces;
  readonly #links: SettledLinks;
  #inSync: Promise<void> | undefined;
  #unsubscribe: () => void = () => undefined;
  /** Events that came while the first dump was under way. */
  #early: NetlinkEvent[] | undefined = [];

  constructor(
    @inject(Netlink) private readonly netlink: Netlink,
    @inject(Scheduler) private readonly scheduler: Scheduler,
    @inject(PluginConfig) config: InterfaceWatcherConfig,
    @inject(PluginHealthReporter) private readonly health: PluginHealthReporter,
    @inject(Logger) private readonly log: Logger,
  ) {
    this.present = new PresentInterfaces(config.settle_delay);
    this.#links = new SettledLinks(config.settle_delay, {
      link: (hostName, present) => this.#notify(hostNameKey(hostName), present),
      address: (hostName, address, present) => this.#notify(hostNameAddressKey(hostName, address), present),
    });
  }

  async init(): Promise<void> {
    this.scheduler.registerDescriptor({
      name: "linux-interface-watcher",
      prefix: HOST_NAME_PREFIX,
      retrieve: async () => {
        await this.#inSync;
        return this.#announced();
      },
    });
    this.scheduler.registerDescriptor({
      name: "linux-interface-presence",
      prefix: HOST_PRESENT_PREFIX,
      retrieve: async () => {
        await this.#inSync;
        return this.present.names().map((hostName) => obtained(hostPresentKey(hostName)));
      },
    });
    this.present.watch((hostName, present) => this.#notify(hostPresentKey(hostName), present));
    this.#inSync = this.#start();
    await this.#inSync;
  }

  close(): void {
    this.#unsubscribe();
    this.#links.close();
    this.present.close();
  }

  async #start(): Promise<void> {
    this.#unsubscribe = await this.netlink.default.subscribe(["link", "address"], (event) => {
      if (this.#early === undefined) this.#handle(event);
      else this.#early.push(event);
    });
    await this.#compare(true);
    const early = this.#early ?? [];
    this.#early = undefined;
    for (const event of early) this.#handle(event);
  }

  #handle(event: NetlinkEvent): void {
    switch (event.type) {
      case "link":
        if (event.deleted) this.#gone(event.link.index);
        else this.#seen(event.link, false);
        break;
      case "address": {
        const { linkIndex, address } = event.address;
        const canonical = canonicalInterfaceAddress(address) ?? address;
        if (event.deleted) this.#links.addressGone(linkIndex, canonical);
        else this.#links.addressSeen(linkIndex, canonical);
        break;
      }
      case "lost":
        this.#compare(false).then(
          () => this.health.ok(),
          (error: unknown) => {
            this.log.error(
              { error: errorMessage(error) },
              "lost kernel events and could not read the interfaces again",
            );
            this.health.degraded(`the list of interfaces may be out of date: ${errorMessage(error)}`);
          },
        );
        break;
      default:
        // Not subscribed to, or the namespace was closed, which is this plugin's own doing.
        break;
    }
  }

  /** Reads all links and addresses, and treats every difference as an event. */
  async #compare(settled: boolean): Promise<void> {
    const [links, addresses] = await Promise.all([this.netlink.default.linkList(), this.netlink.default.addrList()]);
    const present = new Set(links.map(({ index }) => index));
    for (const index of this.#links.indexes) if (!present.has(index)) this.#gone(index);
    for (const link of links) this.#seen(link, settled);
    const found = new Map<number, Set<string>>();
    for (const { linkIndex, address } of addresses) {
      const canonical = canonicalInterfaceAddress(address) ?? address;
      found.set(linkIndex, (found.get(linkIndex) ?? new Set()).add(canonical));
      this.#links.addressSeen(linkIndex, canonical);
    }
    for (const index of present) {
      for (const address of [...this.#links.addressesOf(index)]) {
        if (!found.get(index)?.has(address)) this.#links.addressGone(index, address);
      }
    }
  }

  #seen(link: Link, settled: boolean): void {
    this.#links.seen(link, settled);
    this.present.seen(link, settled);
  }

  #gone(index: number): void {
    this.#links.gone(index);
    this.present.gone(index);
  }

  #notify(key: string, present: boolean): void {
    this.scheduler.notify([{ key, value: present ? {} : undefined }]);
  }

  #announced(): readonly RetrievedValue[] {
    return [...this.#links.announced()].flatMap(({ hostName, addresses }) => [
      obtained(hostNameKey(hostName)),
      ...[...addresses].map((address) => obtained(hostNameAddressKey(hostName, address))),
    ]);
  }
}

function obtained(key: string): RetrievedValue {
  return { key, value: {}, origin: "southbound" };
}
