import type { ExecutionContext } from "ava";
import { NetlinkClient, type NetlinkOptions } from "#plugins/netlink/client.js";
import type { Link, NamespaceHandle } from "#plugins/netlink/index.js";
import "#test/support/sandbox.js";

/** The limits that the plugin has by default, and crashes that are the test's business. */
export const defaultOptions: NetlinkOptions = {
  receiveBufferBytes: 4 * 1024 * 1024,
  eventBufferBytes: 8 * 1024 * 1024,
  batchMessages: 1024,
  batchBytes: 64 * 1024,
  netnsDirectory: "/run/netns",
  onCrash: (error) => {
    throw error;
  },
  onWatch: (error) => {
    if (error) throw error;
  },
};

/** A netlink that closes with the test. */
export async function openNetlink(t: ExecutionContext, options: Partial<NetlinkOptions> = {}): Promise<NetlinkClient> {
  const netlink = new NetlinkClient({ ...defaultOptions, ...options });
  await netlink.start();
  t.teardown(() => netlink.close());
  return netlink;
}

/** A namespace of its own for the test, so that tests of a file do not see each other's links. */
export async function openNamespace(
  t: ExecutionContext,
  netlink: NetlinkClient,
  name: string,
): Promise<NamespaceHandle> {
  await netlink.createNamed(name);
  t.teardown(() => netlink.deleteNamed(name));
  const handle = await netlink.open({ kind: "named", name });
  t.teardown(() => handle.close());
  return handle;
}

export async function linkNamed(namespace: NamespaceHandle, name: string): Promise<Link> {
  const link = await namespace.linkByName(name);
  if (!link) throw new Error(`there is no link ${name}`);
  return link;
}

/** A veth pair with both ends up. Returns the end called `name`; the other one is `${name}-peer`. */
export async function addPair(namespace: NamespaceHandle, name: string): Promise<Link> {
  await namespace.linkAdd({ name, kind: "veth", peer: { name: `${name}-peer` } });
  for (const end of [name, `${name}-peer`]) {
    await namespace.linkSet({ index: (await linkNamed(namespace, end)).index, up: true });
  }
  return linkNamed(namespace, name);
}
