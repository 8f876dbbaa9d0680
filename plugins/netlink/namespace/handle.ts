import { SouthboundError } from "#core/errors.js";
import { decodeAddress } from "../codec/address.js";
import { decodeBridgeVlans } from "../codec/bridge-vlan.js";
import { align, Reader } from "../codec/buffer.js";
import { AF_INET, AF_INET6 } from "../codec/constants.js";
import { decodeFeatures, decodeSpeed } from "../codec/ethtool.js";
import { decodeForwarding } from "../codec/forwarding.js";
import { decodeLink } from "../codec/link.js";
import { decodeLinkProtocols } from "../codec/link-protocols.js";
import { headerBytes } from "../codec/message.js";
import { decodeNamespaceId } from "../codec/namespace-id.js";
import { decodeNeighbour } from "../codec/neighbour.js";
import { decodeRoute } from "../codec/route.js";
import { decodeRule } from "../codec/rule.js";
import { decodeWireguard, joinWireguard } from "../codec/wireguard.js";
import type {
  Address,
  EventGroup,
  Forwarding,
  ForwardingFilter,
  ForwardingQuery,
  Link,
  LinkProtocols,
  LinkProtocolsRequest,
  LinkRequest,
  NamespaceHandle,
  NamespaceRef,
  Neighbour,
  NetlinkEvent,
  PortVlans,
  PortVlansRequest,
  Route,
  RouteFilter,
  RouteInterpreter,
  Rule,
  TapRequest,
  WireguardDevice,
} from "../types.js";
import type { Connection, EventSubscription, ReplyParts } from "./connection.js";
import type { DumpMemory } from "./dump-memory.js";
import type { GenericOperation } from "./generic.js";
import * as generic from "./generic.js";
import type { RequestKind } from "./operations.js";
import * as operations from "./operations.js";

type Family = "inet" | "inet6";
type Decode<T> = (reader: Reader, start: number, end: number) => T | undefined;

/** Parts of a dump (of 32 KiB at most) to decode before others get their turn of the event loop. */
const partsPerTurn = 4;

function families(family: Family | undefined): readonly number[] {
  if (family === undefined) return [AF_INET, AF_INET6];
  return [family === "inet" ? AF_INET : AF_INET6];
}

function decodePart<T>(part: Uint8Array, decode: Decode<T>, into: T[]): void {
  const reader = new Reader(part);
  // A dump may have hundreds of thousands of messages: no object for each.
  for (let at = 0; at + headerBytes <= part.length; ) {
    const length = reader.view.getUint32(at, true);
    if (length < headerBytes || at + length > part.length) return;
    const value = decode(reader, at + headerBytes, at + length);
    if (value !== undefined) into.push(value);
    at += align(length);
  }
}

async function decodeAll<T>(parts: ReplyParts, decode: Decode<T>): Promise<readonly T[]> {
  const values: T[] = [];
  for (const [i, part] of parts.entries()) {
    if (i > 0 && i % partsPerTurn === 0) await new Promise((resolve) => setImmediate(resolve));
    decodePart(part, decode, values);
  }
  return values;
}

/** `undefined` instead of the error when the kernel says that there is no such thing. */
async function unlessMissing<T>(code: string, promise: Promise<T>): Promise<T | undefined> {
  try {
    return await promise;
  } catch (error) {
    if (error instanceof SouthboundError && error.code === code) return undefined;
    throw error;
  }
}

/** One reference to a namespace. */
export class Handle implements NamespaceHandle {
  private readonly subscriptions = new Set<EventSubscription>();
  private closed = false;

  constructor(
    readonly ref: NamespaceRef,
    private readonly connection: Connection,
    private readonly release: () => void,
  ) {}

  get identity(): string {
    return this.connection.identity;
  }

  get fd(): number {
    return this.connection.fd;
  }

  async linkAdd(link: LinkRequest): Promise<void> {
    await this.request(operations.linkAdd, link);
  }

  async linkSet(link: LinkRequest & { readonly index: number }): Promise<void> {
    await this.request(operations.linkSet, link);
  }

  async linkDel(index: number): Promise<void> {
    await this.request(operations.linkDel, index);
  }

  linkByName(name: string): Promise<Link | undefined> {
    return this.getLink(operations.linkGetByName, name);
  }

  linkByIndex(index: number): Promise<Link | undefined> {
    return this.getLink(operations.linkGetByIndex, index);
  }

  linkList(filter: { readonly kind?: string; readonly master?: number } = {}): Promise<readonly Link[]> {
    return this.list(operations.linkDump, filter, decodeLink);
  }

  async tapAdd(tap: TapRequest): Promise<void> {
    if (this.closed) throw this.closedError(`add link ${tap.name}`);
    await this.connection.tapAdd(tap);
  }

  bridgeVlanList(): Promise<readonly PortVlans[]> {
    return this.list(operations.bridgeVlanDump, undefined, decodeBridgeVlans);
  }

  async bridgeVlanAdd(request: PortVlansRequest): Promise<void> {
    await this.request(operations.bridgeVlanAdd, request);
  }

  async bridgeVlanDel(request: PortVlansRequest): Promise<void> {
    await this.request(operations.bridgeVlanDel, request);
  }

  async featureList(index: number): Promise<ReadonlySet<string>> {
    const [features] = await this.listGeneric("ethtool", generic.featureGet, index, decodeFeatures);
    return features ?? new Set();
  }

  async featureSet(linkIndex: number, features: Readonly<Record<string, boolean>>): Promise<void> {
    await this.requestGeneric("ethtool", generic.featureSet, { linkIndex, features });
  }

  async linkSpeed(index: number): Promise<number> {
    const [speed] = await this.listGeneric("ethtool", generic.speedGet, index, decodeSpeed);
    return speed ?? 0;
  }

  async wireguardGet(index: number): Promise<WireguardDevice | undefined> {
    return joinWireguard(await this.listGeneric("wireguard", generic.wireguardGet, index, decodeWireguard));
  }

  async wireguardSet(device: WireguardDevice): Promise<void> {
    await this.requestGeneric("wireguard", generic.wireguardSet, device);
  }

  async linkProtocols(index: number): Promise<LinkProtocols | undefined> {
    const found = this.list(operations.linkGetByIndex, index, decodeLinkProtocols);
    return (await unlessMissing("ENODEV", found))?.[0];
  }

  async linkProtocolsSet(request: LinkProtocolsRequest): Promise<void> {
    await this.request(operations.linkProtocolsSet, request);
  }

  async sysctlSet(path: string, text: string): Promise<void> {
    if (this.closed) throw this.closedError(`set ${path}`);
    await this.connection.sysctlSet(path, { text });
  }

  async sysctlCopy(from: string, to: string): Promise<void> {
    if (this.closed) throw this.closedError(`set ${to}`);
    await this.connection.sysctlSet(to, { from });
  }

  async altNameAdd(index: number, name: string): Promise<void> {
    await this.request(operations.altNameAdd, { index, name });
  }

  async altNameDel(index: number, name: string): Promise<void> {
    await this.request(operations.altNameDel, { index, name });
  }

  async addrAdd(address: Address): Promise<void> {
    await this.request(operations.addrAdd, address);
  }

  async addrReplace(address: Address): Promise<void> {
    await this.request(operations.addrReplace, address);
  }

  async addrDel(address: Address): Promise<void> {
    await this.request(operations.addrDel, address);
  }

  async addrList({
    linkIndex = 0,
    family,
  }: {
    readonly linkIndex?: number;
    readonly family?: Family;
  } = {}): Promise<readonly Address[]> {
    const dumps = families(family).map((number) =>
      // The kernel answers a filter for a link that is not there with ENODEV: it has no addresses.
      unlessMissing("ENODEV", this.list(operations.addrDump, { family: number, linkIndex }, decodeAddress)),
    );
    return (await Promise.all(dumps)).flatMap((addresses) => addresses ?? []);
  }

  async routeAdd(route: Route): Promise<void> {
    await this.request(operations.routeAdd, route);
  }

  routeAddMany(routes: readonly Route[]): Promise<readonly PromiseSettledResult<void>[]> {
    return this.requestMany(operations.routeAdd, routes);
  }

  routeDelMany(routes: readonly Route[]): Promise<readonly PromiseSettledResult<void>[]> {
    return this.requestMany(operations.routeDel, routes);
  }

  async routeAppend(route: Route): Promise<void> {
    await this.request(operations.routeAppend, route);
  }

  async routeReplace(route: Route): Promise<void> {
    await this.request(operations.routeReplace, route);
  }

  async routeDel(route: Route): Promise<void> {
    await this.request(operations.routeDel, route);
  }

  async routeList(filter: RouteFilter = {}): Promise<readonly Route[]> {
    return decodeAll(await this.routeDump(filter), decodeRoute);
  }

  async routeRecall<T>(
    memory: DumpMemory<T>,
    filter: RouteFilter,
    interpreter: RouteInterpreter<T>,
  ): Promise<readonly T[]> {
    return memory.recall(await this.routeDump(filter), {
      stands: (meaning) => interpreter.stands(meaning),
      interpret(reader, start, end) {
        const route = decodeRoute(reader, start, end);
        return route && interpreter.interpret(route);
      },
    });
  }

  async neighAdd(neighbour: Neighbour): Promise<void> {
    await this.request(operations.neighAdd, neighbour);
  }

  async neighSet(neighbour: Neighbour): Promise<void> {
    await this.request(operations.neighSet, neighbour);
  }

  async neighDel(neighbour: Neighbour): Promise<void> {
    await this.request(operations.neighDel, neighbour);
  }

  neighList(filter: { readonly linkIndex?: number; readonly proxy?: boolean } = {}): Promise<readonly Neighbour[]> {
    return this.list(operations.neighDump, filter, decodeNeighbour);
  }

  async forwardingAdd(entry: Forwarding): Promise<void> {
    await this.request(operations.forwardingAdd, entry);
  }

  async forwardingSet(entry: Forwarding): Promise<void> {
    await this.request(operations.forwardingSet, entry);
  }

  async forwardingAppend(entry: Forwarding): Promise<void> {
    await this.request(operations.forwardingAppend, entry);
  }

  async forwardingDel(entry: Forwarding): Promise<void> {
    await this.request(operations.forwardingDel, entry);
  }

  async forwardingList(filter: ForwardingFilter = {}): Promise<readonly Forwarding[]> {
    return (await unlessMissing("ENODEV", this.list(operations.forwardingDump, filter, decodeForwarding))) ?? [];
  }

  async forwardingGet(query: ForwardingQuery): Promise<Forwarding | undefined> {
    return (await unlessMissing("ENOENT", this.list(operations.forwardingGet, query, decodeForwarding)))?.[0];
  }

  async ruleAdd(rule: Rule): Promise<void> {
    await this.request(operations.ruleAdd, rule);
  }

  async ruleDel(rule: Rule): Promise<void> {
    await this.request(operations.ruleDel, rule);
  }

  async ruleList(family?: Family): Promise<readonly Rule[]> {
    const dumps = families(family).map((number) => this.list(operations.ruleDump, number, decodeRule));
    return (await Promise.all(dumps)).flat();
  }

  async namespaceId(other: NamespaceHandle): Promise<number | undefined> {
    const [id] = await this.list(operations.namespaceIdGet, other.fd, decodeNamespaceId);
    return id;
  }

  async subscribe(
    groups: readonly EventGroup[],
    listener: (event: NetlinkEvent) => void,
    { ownRoutes = true }: { readonly ownRoutes?: boolean } = {},
  ): Promise<() => void> {
    if (this.closed) throw this.closedError("subscribe to events");
    const subscription: EventSubscription = { groups: new Set(groups), listener, ownRoutes };
    this.subscriptions.add(subscription);
    try {
      await this.connection.subscribe(subscription);
    } catch (error) {
      this.subscriptions.delete(subscription);
      throw error;
    }
    return () => {
      this.subscriptions.delete(subscription);
      this.connection.unsubscribe(subscription);
    };
  }

  close(): void {
    if (this.closed) return;
    this.closed = true;
    for (const subscription of this.subscriptions) {
      this.connection.unsubscribe(subscription);
      subscription.listener({ type: "closed" });
    }
    this.subscriptions.clear();
    this.release();
  }

  private request<T>(operation: RequestKind<T>, value: T): Promise<ReplyParts> {
    if (this.closed) return Promise.reject(this.closedError(operation.describe(value)));
    return this.connection.request(operation, value);
  }

  private async requestMany<T>(
    operation: RequestKind<T>,
    values: readonly T[],
  ): Promise<readonly PromiseSettledResult<void>[]> {
    if (!this.closed) return this.connection.requestMany(operation, values);
    return values.map((value) => ({ status: "rejected", reason: this.closedError(operation.describe(value)) }));
  }

  private async list<V, T>(operation: RequestKind<V>, value: V, decode: Decode<T>): Promise<readonly T[]> {
    return decodeAll(await this.request(operation, value), decode);
  }

  private async routeDump({ family, ...filter }: RouteFilter): Promise<ReplyParts> {
    const dumps = families(family).map((number) =>
      // A table that has never had a route does not exist (ENOENT), a link may be gone (ENODEV): neither has routes.
      unlessMissing(
        "ENODEV",
        unlessMissing("ENOENT", this.request(operations.routeDump, { family: number, ...filter })),
      ),
    );
    return (await Promise.all(dumps)).flatMap((parts) => parts ?? []);
  }

  private async requestGeneric<T>(family: string, operation: GenericOperation<T>, value: T): Promise<ReplyParts> {
    if (this.closed) throw this.closedError(operation.describe(value));
    const connection = await this.connection.generic();
    const type = await connection.family(family);
    return connection.request({ ...operation, type }, value);
  }

  private async listGeneric<V, T>(
    family: string,
    operation: GenericOperation<V>,
    value: V,
    decode: Decode<T>,
  ): Promise<readonly T[]> {
    return decodeAll(await this.requestGeneric(family, operation, value), decode);
  }

  private async getLink<V>(operation: RequestKind<V>, value: V): Promise<Link | undefined> {
    const links = await unlessMissing("ENODEV", this.list(operation, value, decodeLink));
    return links?.[0];
  }

  private closedError(what: string): SouthboundError {
    return new SouthboundError("EBADF", `${what}: the handle of this network namespace is closed`);
  }
}
