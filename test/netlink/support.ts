import type { ExecutionContext } from "ava";
import type { Link, NamespaceHandle } from "#plugins/netlink/index.js";
import { type NetlinkOptions, NetlinkRoom } from "#plugins/netlink/room.js";
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

/** A room that closes with the test. */
export async function openRoom(t: ExecutionContext, options: Partial<NetlinkOptions> = {}): Promise<NetlinkRoom> {
  const room = new NetlinkRoom({ ...defaultOptions, ...options });
  await room.start();
  t.teardown(() => room.close());
  return room;
}

/** A namespace of its own for the test, so that tests of a file do not see each other's links. */
export async function openNamespace(t: ExecutionContext, room: NetlinkRoom, name: string): Promise<NamespaceHandle> {
  await room.createNamed(name);
  t.teardown(() => room.deleteNamed(name));
  const handle = await room.open({ kind: "named", name });
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
