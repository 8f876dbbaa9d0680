import { z } from "zod";
import { duration } from "#core/config/duration.js";
import { errorMessage } from "#core/errors.js";
import { PluginHealthReporter } from "#core/health/types.js";
import { Logger } from "#core/logging/types.js";
import { inject, type Plugin, PluginConfig, plugin, provide } from "#core/plugin/index.js";
import type { RetrievedValue } from "#core/scheduler/api/scheduler.js";
import { Scheduler } from "#core/scheduler/api/token.js";
import { Netlink } from "#plugins/netlink/index.js";
import {
  HOST_NAME_PREFIX,
  HOST_PRESENT_PREFIX,
  hostNameAddressKey,
  hostNameKey,
  hostPresentKey,
  NAMESPACE_HOST_NAME_PREFIX,
} from "#proto/index.js";
import { HostInterfaces, PresentInterfaces } from "./host-interfaces.js";
import { NamespaceWatchers, WatchedNamespaces } from "./namespace-watchers.js";
import { SettledLinks } from "./settled-links.js";
import { WatchedNamespace } from "./watched-namespace.js";

export const interfaceWatcherConfig = z.strictObject({
  settle_delay: duration
    .prefault("500ms")
    .describe("How long an interface must have been there before it is announced; it is made in several steps"),
  namespaces: z
    .array(z.string().regex(/^(?!\.{1,2}$)[^/\s]{1,255}$/, "expected the name of a network namespace"))
    .default([])
    .describe("Named network namespaces whose interfaces are announced too, while they are there"),
});

export type InterfaceWatcherConfig = z.infer<typeof interfaceWatcherConfig>;

/**
 * Tells the scheduler which interfaces the agent's own namespace has, whoever made them: an obtained value under
 * `linux/interface/present/<host name>` for each, and while it can be used another under
 * `linux/interface/host-name/<host name>`, with its addresses below it. The latter follows vpp-agent's InterfaceWatcher, and there is
 * both for each interface of the namespaces that the configuration names under `linux/interface/namespace/<namespace>/…`.
 */
@plugin({
  name: "interface-watcher",
  description: "Interfaces of the host, whoever made them, as values that others can depend on.",
  config: interfaceWatcherConfig,
  provides: [
    provide(HostInterfaces, (watcher: InterfaceWatcherPlugin) => watcher.present),
    provide(WatchedNamespaces, (watcher: InterfaceWatcherPlugin) => watcher.namespaces),
  ],
})
export class InterfaceWatcherPlugin implements Plugin {
  readonly present: PresentInterfaces;
  private readonly links: SettledLinks;
  private readonly named: NamespaceWatchers;
  private readonly troubles = new Map<string, string>();
  private own: WatchedNamespace | undefined;

  constructor(
    @inject(Netlink) private readonly netlink: Netlink,
    @inject(Scheduler) private readonly scheduler: Scheduler,
    @inject(PluginConfig) config: InterfaceWatcherConfig,
    @inject(PluginHealthReporter) private readonly health: PluginHealthReporter,
    @inject(Logger) private readonly log: Logger,
  ) {
    const { settle_delay: settleDelay, namespaces: names } = config;
    this.present = new PresentInterfaces(settleDelay);
    this.links = new SettledLinks(settleDelay, {
      link: (hostName, present) => this.notify(hostNameKey(hostName), present),
      address: (hostName, address, present) => this.notify(hostNameAddressKey(hostName, address), present),
    });
    this.named = new NamespaceWatchers({
      netlink,
      names,
      settleDelay,
      tell: (key, present) => this.notify(key, present),
      onTrouble: (name, problem) => this.tellHealth(`namespace ${name}`, problem),
    });
  }

  get namespaces(): WatchedNamespaces {
    return this.named;
  }

  async init(): Promise<void> {
    const own = new WatchedNamespace(this.netlink.default, [this.links, this.present.links], (error) =>
      this.tellHealth(
        "own namespace",
        error === undefined ? undefined : `the list of interfaces may be out of date: ${errorMessage(error)}`,
      ),
    );
    this.own = own;
    this.scheduler.registerDescriptor({
      name: "linux-interface-watcher",
      prefix: HOST_NAME_PREFIX,
      retrieve: async () => {
        await own.look();
        return [...this.links.announced()].flatMap(({ hostName, addresses }) => [
          obtained(hostNameKey(hostName)),
          ...[...addresses].map((address) => obtained(hostNameAddressKey(hostName, address))),
        ]);
      },
    });
    this.scheduler.registerDescriptor({
      name: "linux-interface-presence",
      prefix: HOST_PRESENT_PREFIX,
      retrieveAfter: ["linux-interface-watcher"],
      retrieve: async () => {
        await own.inSync;
        return this.present.names().map((hostName) => obtained(hostPresentKey(hostName)));
      },
    });
    this.scheduler.registerDescriptor({
      name: "linux-namespace-interface-watcher",
      prefix: NAMESPACE_HOST_NAME_PREFIX,
      retrieve: async () => (await this.named.announced()).map(obtained),
    });
    this.present.watch((hostName, present) => this.notify(hostPresentKey(hostName), present));
    await Promise.all([own.start(), this.named.start()]);
  }

  async close(): Promise<void> {
    this.own?.close();
    this.present.close();
    await this.named.close();
  }

  private notify(key: string, present: boolean): void {
    this.scheduler.notify([{ key, value: present ? {} : undefined }]);
  }

  private tellHealth(watch: string, problem: string | undefined): void {
    if (problem === undefined) this.troubles.delete(watch);
    else {
      this.log.error(problem);
      this.troubles.set(watch, problem);
    }
    if (this.troubles.size === 0) this.health.ok();
    else this.health.degraded([...this.troubles.values()].join("; "));
  }
}

function obtained(key: string): RetrievedValue {
  return { key, value: {}, origin: "southbound" };
}
