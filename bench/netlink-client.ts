import { NetlinkClient } from "#plugins/netlink/client.js";
import type { Link, NamespaceHandle } from "#plugins/netlink/index.js";
import { netlinkConfig } from "#plugins/netlink/index.js";

/** A netlink with the plugin's default limits. */
export async function startNetlink(): Promise<NetlinkClient> {
  const config = netlinkConfig.parse({});
  const fail = (error: Error) => {
    throw error;
  };
  const netlink = new NetlinkClient({
    receiveBufferBytes: config.receive_buffer_bytes,
    eventBufferBytes: config.event_buffer_bytes,
    batchMessages: config.batch_messages,
    batchBytes: config.batch_bytes,
    netnsDirectory: config.netns_directory,
    onCrash: fail,
    onWatch: (error) => error && fail(error),
  });
  await netlink.start();
  return netlink;
}

/** One end, up, of a veth pair that is up. */
export async function addPair(namespace: NamespaceHandle, name: string): Promise<Link> {
  const peer = `${name}-peer`;
  await namespace.linkAdd({ name, kind: "veth", peer: { name: peer } });
  const ends = await Promise.all([namespace.linkByName(name), namespace.linkByName(peer)]);
  for (const end of ends) if (end) await namespace.linkSet({ index: end.index, up: true });
  const [link] = ends;
  if (!link) throw new Error(`the kernel made no link ${name}`);
  return link;
}
