import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ExecutionContext } from "ava";
import { Agent } from "#core/agent/index.js";
import { flavor } from "#core/flavor/index.js";
import {
  type AgentEvent,
  type Change,
  Northbound,
  RequestGroup,
  type TransactionResult,
} from "#core/northbound/index.js";
import type { TransactionRecord } from "#core/scheduler/api/scheduler.js";
import { Scheduler } from "#core/scheduler/api/token.js";
import { IfmgrPlugin } from "#plugins/ifmgr/index.js";
import { InterfaceWatcherPlugin } from "#plugins/interface-watcher/index.js";
import { linux } from "#plugins/linux/index.js";
import { MemoryBus, MemoryPlugin } from "#plugins/memory/index.js";
import { NetlinkPlugin } from "#plugins/netlink/index.js";
import { OrchestratorPlugin } from "#plugins/orchestrator/index.js";
import { StorePlugin } from "#plugins/store/index.js";
import { type InterfaceStatus, interfaceKey, type Route, registrationKey, routeKey } from "#proto/index.js";
import { eventually } from "#test/support/eventually.js";

const network = flavor("ifmgr-test", [
  NetlinkPlugin,
  StorePlugin,
  OrchestratorPlugin,
  linux,
  InterfaceWatcherPlugin,
  MemoryPlugin,
  IfmgrPlugin,
]);

export interface PlugAgentOptions {
  /** Section `ifmgr`. */
  readonly ifmgr?: object;
  /** Directory of the store; a new one, removed after the test, when left out. */
  readonly store?: string;
}

/** An agent with ifmgr in this process, in the sandbox's network. */
export class PlugAgent {
  readonly events: AgentEvent[] = [];
  readonly transactions: TransactionRecord[] = [];

  private constructor(readonly agent: Agent) {}

  /** Closed after the test. */
  static async start(t: ExecutionContext, options: PlugAgentOptions = {}): Promise<PlugAgent> {
    const agent = new Agent({
      flavor: network,
      label: "plug",
      environment: {},
      configuration: {
        log: { level: "silent" },
        store: { directory: options.store ?? temporaryDirectory(t) },
        ifmgr: { retry_period: "50ms", ...options.ifmgr },
        "interface-watcher": { settle_delay: "50ms" },
      },
    });
    const started = new PlugAgent(agent);
    t.teardown(() => agent.close());
    await agent.start();
    agent.get(MemoryBus).subscribe(({ event }) => void started.events.push(event));
    agent.get(Scheduler).watchTransactions((record) => void started.transactions.push(record));
    return started;
  }

  commit(...changes: readonly Change[]): Promise<TransactionResult> {
    return this.agent.get(MemoryBus).commit({ changes });
  }

  get northbound(): Northbound {
    return this.agent.get(Northbound);
  }

  /** One of ifmgr's requests, as every transport makes it. */
  async request(name: string, argument: object = {}): Promise<readonly InterfaceStatus[]> {
    const handler = this.agent.get(RequestGroup).requests[name];
    if (handler === undefined) throw new Error(`ifmgr has no request ${name}`);
    const { interfaces } = (await handler.handle(argument)) as { interfaces: readonly InterfaceStatus[] };
    return interfaces;
  }

  async status(hostName: string): Promise<InterfaceStatus | undefined> {
    return (await this.request("get", { interface: hostName }))[0];
  }

  /** Waits until the interface's machine is in a state. */
  reaches(hostName: string, state: InterfaceStatus["state"]): Promise<InterfaceStatus> {
    return eventually(
      async () => {
        const status = await this.status(hostName);
        if (status?.state === state) return status;
        throw new Error(`it was ${JSON.stringify(status)}`);
      },
      { what: `${hostName} to be ${state}` },
    );
  }

  /** Waits until a transaction has configured an interface. */
  async configured(name: string): Promise<void> {
    const key = interfaceKey(name);
    const isDone = ({ executed }: TransactionRecord): boolean =>
      executed.some((operation) => operation.key === key && operation.state === "CONFIGURED");
    await eventually(() => this.transactions.some(isDone), { what: `${name} to be configured` });
  }

  close(): Promise<void> {
    return this.agent.close();
  }
}

/** Gone after the test. */
export function temporaryDirectory(t: ExecutionContext): string {
  const directory = mkdtempSync(join(tmpdir(), "tenuto-ifmgr-test-"));
  t.teardown(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

export function register(hostName: string, more: object = {}): Change {
  return { key: registrationKey(hostName), value: { interface: hostName, ...more } };
}

/** An EXISTING interface with the same name in the host as in the configuration. */
export function existing(name: string, more: object = {}): Change {
  return { key: interfaceKey(name), value: { name, type: "EXISTING", enabled: true, ...more } };
}

export function route(network: string, outgoing: string, more: Route = {}): Change {
  return { key: routeKey(network, outgoing), value: { dst_network: network, outgoing_interface: outgoing, ...more } };
}

export function drop(key: string): Change {
  return { key, delete: true };
}
