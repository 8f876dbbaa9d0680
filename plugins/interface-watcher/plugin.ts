import { z } from "zod";
import { duration } from "#core/config/duration.js";
import { errorMessage } from "#core/errors.js";
import { PluginHealthReporter } from "#core/health/types.js";
import { Logger } from "#core/logging/types.js";
import { inject, type Plugin, PluginConfig, plugin, provide } from "#core/plugin/index.js";
import { Scheduler } from "#core/scheduler/token.js";
import type { RetrievedValue } from "#core/scheduler/types.js";
import { Netlink } from "#plugins/netlink/index.js";
import {
  HOST_NAME_PREFIX,
  HOST_PRESENT_PREFIX,
  hostNameAddressKey,
  hostNameKey,
  hostPresentKey,
  NAMESPACE_HOST_NAME_PREFIX,
  namespaceHostNameKey,
} from "#proto/index.js";
import { HostInterfaces, PresentInterfaces } from "./host-interfaces.js";
import { NamedNamespaces } from "./named-namespaces.js";
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
 * one for each interface of the namespaces that the configuration names under `linux/interface/namespace/<namespace>/…`.
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
  readonly #named: NamedNamespaces;
  #own: WatchedNamespace | undefined;

  constructor(
    @inject(Netlink) private readonly netlink: Netlink,
    @inject(Scheduler) private readonly scheduler: Scheduler,
    @inject(PluginConfig) config: InterfaceWatcherConfig,
    @inject(PluginHealthReporter) private readonly health: PluginHealthReporter,
    @inject(Logger) private readonly log: Logger,
  ) {
    const { settle_delay: settleDelay, namespaces: names } = config;
    this.present = new PresentInterfaces(settleDelay);
    this.#links = new SettledLinks(settleDelay, {
      link: (hostName, present) => this.#notify(hostNameKey(hostName), present),
      address: (hostName, address, present) => this.#notify(hostNameAddressKey(hostName, address), present),
    });
    this.#named = new NamedNamespaces({
      netlink,
      names,
      settleDelay,
      tell: (namespace, name, address, present) =>
        this.#notify(namespaceHostNameKey(namespace, name, address), present),
      onTrouble: (problem) => this.#tellHealth(problem),
    });
  }

  async init(): Promise<void> {
    const own = new WatchedNamespace(this.netlink.default, [this.#links, this.present.links], (error) =>
      this.#tellHealth(
        error === undefined ? undefined : `the list of interfaces may be out of date: ${errorMessage(error)}`,
      ),
    );
    this.#own = own;
    // While events that were lost are made up for, what is known may be wrong: a resync waits.
    this.scheduler.registerDescriptor({
      name: "linux-interface-watcher",
      prefix: HOST_NAME_PREFIX,
      retrieve: async () => {
        await own.inSync;
        return announced(this.#links, hostNameKey, hostNameAddressKey);
      },
    });
    this.scheduler.registerDescriptor({
      name: "linux-interface-presence",
      prefix: HOST_PRESENT_PREFIX,
      retrieve: async () => {
        await own.inSync;
        return this.present.names().map((hostName) => obtained(hostPresentKey(hostName)));
      },
    });
    this.scheduler.registerDescriptor({
      name: "linux-namespace-interface-watcher",
      prefix: NAMESPACE_HOST_NAME_PREFIX,
      retrieve: async () =>
        (await this.#named.announced()).flatMap(({ namespace, links }) => {
          const key = (name: string, address?: string): string => namespaceHostNameKey(namespace, name, address);
          return announced(links, key, key);
        }),
    });
    this.present.watch((hostName, present) => this.#notify(hostPresentKey(hostName), present));
    await Promise.all([own.start(), this.#named.start()]);
  }

  async close(): Promise<void> {
    this.#own?.close();
    this.present.close();
    await this.#named.close();
  }

  #notify(key: string, present: boolean): void {
    this.scheduler.notify([{ key, value: present ? {} : undefined }]);
  }

  #tellHealth(problem: string | undefined): void {
    if (problem === undefined) {
      this.health.ok();
      return;
    }
    this.log.error(problem);
    this.health.degraded(problem);
  }
}

function announced(
  links: SettledLinks,
  linkKey: (hostName: string) => string,
  addressKey: (hostName: string, address: string) => string,
): readonly RetrievedValue[] {
  return [...links.announced()].flatMap(({ hostName, addresses }) => [
    obtained(linkKey(hostName)),
    ...[...addresses].map((address) => obtained(addressKey(hostName, address))),
  ]);
}

function obtained(key: string): RetrievedValue {
  return { key, value: {}, origin: "southbound" };
}
