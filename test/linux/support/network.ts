import { Agent } from "#core/agent/index.js";
import { flavor } from "#core/flavor/index.js";
import type { PluginClass } from "#core/plugin/index.js";
import { Scheduler, type TransactionRecord, type ValueStatusRecord } from "#core/scheduler/index.js";
import { InterfaceStatePlugin } from "#plugins/interface-state/index.js";
import { InterfaceWatcherPlugin } from "#plugins/interface-watcher/index.js";
import { linux } from "#plugins/linux/index.js";
import { Netlink, NetlinkPlugin } from "#plugins/netlink/index.js";
import {
  type ARPEntry,
  arpKey,
  type ForwardingEntry,
  forwardingModel,
  type Interface,
  interfaceKey,
  type Route,
  type Rule,
  routeModel,
  ruleModel,
} from "#proto/index.js";
import type { LinkView } from "#test/support/sandbox.js";

const network = flavor("network", [NetlinkPlugin, linux, InterfaceWatcherPlugin, InterfaceStatePlugin]);

/** Emulated processors that are shared with other tests are slow. */
const PATIENCE = { init_timeout: "2m", after_init_timeout: "2m", close_timeout: "2m" };

export type Desired = readonly [key: string, value: object | undefined];

/** An agent with the network plugins and nothing else, driven by its scheduler. */
export class NetworkAgent {
  private constructor(
    readonly agent: Agent,
    readonly label: string,
  ) {}

  static async start(
    label: string,
    configuration: Readonly<Record<string, object>> = {},
    plugins: readonly PluginClass[] = [],
  ): Promise<NetworkAgent> {
    const agent = new Agent({
      flavor: network.with(...plugins),
      label,
      configuration: { log: { level: "silent" }, agent: PATIENCE, ...configuration },
      environment: {},
    });
    await agent.start();
    return new NetworkAgent(agent, label);
  }

  get scheduler(): Scheduler {
    return this.agent.get(Scheduler);
  }

  /** Sets and deletes values; failures are not retried. */
  commit(...changes: readonly Desired[]): Promise<TransactionRecord> {
    return this.scheduler.commit({ changes, retry: false });
  }

  /** Makes these all the desired values there are, as an agent does that has just started and whose store knows everything. */
  resync(...changes: readonly Desired[]): Promise<TransactionRecord> {
    return this.scheduler.commit({ changes, kind: "full-resync", orphans: "remove", retry: false });
  }

  status(key: string): ValueStatusRecord {
    return this.scheduler.status(key);
  }

  /** Names of the offloads in force on a link of the agent's own namespace. */
  features(index: number): Promise<ReadonlySet<string>> {
    return this.agent.get(Netlink).default.featureList(index);
  }

  /** As `ethtool -K` of somebody else. */
  setFeature(index: number, name: string, on: boolean): Promise<void> {
    return this.agent.get(Netlink).default.featureSet(index, { [name]: on });
  }

  close(): Promise<void> {
    return this.agent.close();
  }
}

export function wantInterface(value: Interface & { readonly name: string }): Desired {
  return [interfaceKey(value.name), value];
}

export function dropInterface(name: string): Desired {
  return [interfaceKey(name), undefined];
}

export function wantRoute(
  value: Route & { readonly dst_network: string; readonly outgoing_interface: string },
): Desired {
  return [routeModel.prefix + routeModel.nameOf(value), value];
}

/** A routes without a next hop, or by several hops. */
export function wantRouteWithoutInterface(value: Route): Desired {
  return [routeModel.prefix + routeModel.nameOf(value), value];
}

export function wantRule(value: Rule & { readonly priority: number }): Desired {
  return [ruleModel.prefix + ruleModel.nameOf(value), value];
}

export function wantNeighbour(value: ARPEntry & { readonly interface: string; readonly ip_address: string }): Desired {
  return [arpKey(value.interface, value.ip_address), value];
}

export function wantForwarding(value: ForwardingEntry): Desired {
  return [forwardingModel.prefix + forwardingModel.nameOf(value), value];
}

/** `CREATE config/…/veth1` for each operation that was carried out. */
export function operations(record: TransactionRecord): readonly string[] {
  return record.executed.map(({ operation, key }) => `${operation} ${key}`);
}

/** State and error of every value of a transaction, by key. */
export function states(record: TransactionRecord): Readonly<Record<string, string>> {
  return Object.fromEntries(
    record.values.map(({ key, state, error }) => [key, error === "" ? state : `${state}: ${error}`]),
  );
}

/** Up, and joined to something that is up. (The operational state says the same, but the kernel writes it later.) */
export function carries(view: LinkView | undefined): boolean {
  return ["UP", "LOWER_UP"].every((flag) => view?.flags.includes(flag));
}
