import { z } from "zod";
import { whenCollected } from "#core/agent/memory.js";
import { PluginHealthReporter } from "#core/health/types.js";
import { Logger } from "#core/logging/types.js";
import { inject, type Plugin, PluginConfig, plugin, provide } from "#core/plugin/index.js";
import { NetlinkClient } from "./client.js";
import { giveMemoryBack } from "./sys/libc.js";
import { Netlink } from "./types.js";

const KiB = 1024;
const MiB = 1024 * KiB;

export const netlinkConfig = z.strictObject({
  receive_buffer_bytes: z
    .int()
    .min(8 * KiB)
    .default(4 * MiB)
    .describe("receive buffer of a namespace's request socket; without CAP_NET_ADMIN net.core.rmem_max bounds it"),
  event_buffer_bytes: z
    .int()
    .min(2 * KiB)
    .default(8 * MiB)
    .describe("receive buffer of a namespace's event socket: how much may pile up before events are lost"),
  batch_messages: z.int().min(1).max(65536).default(1024).describe("most requests of one send"),
  batch_bytes: z
    .int()
    .min(4 * KiB)
    .max(128 * KiB)
    .default(64 * KiB)
    .describe(
      "most bytes of one send; the kernel copies them into one buffer, whose default limit is net.core.wmem_max",
    ),
  netns_directory: z.string().min(1).default("/run/netns").describe("directory of named network namespaces"),
});

export type NetlinkConfig = z.infer<typeof netlinkConfig>;

/** Rtnetlink as a plugin. What it provides works from its `init` to its `close`. */
@plugin({
  name: "netlink",
  description: "Rtnetlink: links, addresses, routes, neighbours, rules and network namespaces of this host",
  config: netlinkConfig,
  provides: [provide(Netlink, (netlink: NetlinkPlugin) => netlink.client)],
})
export class NetlinkPlugin implements Plugin {
  readonly client: NetlinkClient;
  private undo: (() => void) | undefined;

  constructor(
    @inject(PluginConfig) config: NetlinkConfig,
    @inject(Logger) log: Logger,
    @inject(PluginHealthReporter) private readonly health: PluginHealthReporter,
  ) {
    this.client = new NetlinkClient({
      receiveBufferBytes: config.receive_buffer_bytes,
      eventBufferBytes: config.event_buffer_bytes,
      batchMessages: config.batch_messages,
      batchBytes: config.batch_bytes,
      netnsDirectory: config.netns_directory,
      onCrash: (error) => {
        log.error({ err: error }, "the netlink worker crashed");
        health.failed(`the netlink worker crashed: ${error.message}`);
      },
      onWatch: (error) => {
        if (error === undefined) {
          log.info("network namespaces are watched again");
          health.ok();
        } else {
          log.error({ error: error.message }, "network namespaces cannot be watched");
          health.degraded(`network namespaces cannot be watched: ${error.message}`);
        }
      },
    });
  }

  async init(): Promise<void> {
    await this.client.start();
    this.undo = whenCollected(giveMemoryBack);
    this.health.ok();
  }

  async close(): Promise<void> {
    this.undo?.();
    await this.client.close();
  }
}
