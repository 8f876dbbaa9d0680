import { execFile } from "node:child_process";
import { writeFile } from "node:fs/promises";
import { promisify } from "node:util";
import type { Change } from "#client/index.js";
import { TENUTO_PROTOCOL } from "#plugins/linux/protocol.js";
import type { Route as KernelRoute, NamespaceHandle } from "#plugins/netlink/index.js";
import { interfaceKey, type Route, routeKey } from "#proto/index.js";

const execute = promisify(execFile);

/** The interface that all routes leave by, and what is on its link. */
export const uplink = {
  name: "uplink",
  peer: "uplink-peer",
  address: "172.31.255.1/24",
  gateway: "172.31.255.2",
} as const;
const otherGateway = "172.31.255.3";

/** As many different /28 networks as asked for, in 10.0.0.0/8. */
export function destinations(count: number): readonly string[] {
  return Array.from({ length: count }, (_, i) => `10.${i >> 12}.${(i >> 4) & 255}.${(i & 15) << 4}/28`);
}

/** A veth pair that is up, with an address, as the agent is asked for it. */
export function uplinkChanges(): readonly Change[] {
  const { name, peer, address } = uplink;
  const end = (own: string, other: string, more: object) => ({
    key: interfaceKey(own),
    value: { name: own, type: "VETH", enabled: true, veth: { peer_if_name: other }, ...more },
  });
  return [end(name, peer, { ip_addresses: [address] }), end(peer, name, {})];
}

export function routeChange(destination: string, gateway: string = uplink.gateway): Change {
  const value: Route = { outgoing_interface: uplink.name, scope: "GLOBAL", dst_network: destination, gw_addr: gateway };
  return { key: routeKey(destination, uplink.name), value };
}

/** A route that leads alternately to one gateway and to the other. */
export function changedRoute(destination: string, turn: number): Change {
  return routeChange(destination, turn % 2 === 0 ? otherGateway : uplink.gateway);
}

export function routeRemoval(destination: string): Change {
  return { key: routeKey(destination, uplink.name), delete: true };
}

/** The kernel's request that the agent sends for such a route. */
export function kernelRoute(destination: string, linkIndex: number): KernelRoute {
  return { destination, gateway: uplink.gateway, linkIndex, table: 254, protocol: TENUTO_PROTOCOL, scope: 0 };
}

/** Writes the same routes as commands for `ip -batch`. */
export async function writeRouteBatch(file: string, networks: readonly string[]): Promise<void> {
  const lines = networks.map(
    (network) => `route add ${network} via ${uplink.gateway} dev ${uplink.name} proto ${TENUTO_PROTOCOL}\n`,
  );
  await writeFile(file, lines.join(""));
}

export async function ipBatch(file: string): Promise<void> {
  await execute("ip", ["-batch", file]);
}

/** Throws when there are not as many of the agent's routes in the kernel. */
export async function expectRoutes(namespace: NamespaceHandle, expected: number): Promise<void> {
  const found = await namespace.routeList({ family: "inet", protocol: TENUTO_PROTOCOL });
  if (found.length !== expected) throw new Error(`the kernel has ${found.length} routes, expected ${expected}`);
}

/** Removes all of them behind everybody's back. */
export async function flushRoutes(): Promise<void> {
  await execute("ip", ["route", "flush", "proto", String(TENUTO_PROTOCOL)]);
}
