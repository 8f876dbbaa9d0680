import type {
  Descriptor,
  RetrievedValue,
  Scheduler,
  TransactionRecord,
  TransactionSpec,
  ValueState,
} from "#core/scheduler/api/scheduler.js";
import { createMetadataMap, createScheduler, deepEqual, type SchedulerOptions } from "#core/scheduler/index.js";
import { FakeClock } from "./fake-clock.js";

/** The values of the control-flow guide (seed document), as far as its examples need them. */
export interface Interface {
  readonly type: "tap" | "af-packet" | "loopback";
  /** Cannot be changed while the interface exists. */
  readonly rx_ring_size?: number;
  readonly mtu?: number;
  /** Of an af-packet interface: the host link that it captures. */
  readonly host_if_name?: string;
  readonly ip_addresses?: readonly string[];
  /** The interface whose addresses this one borrows. */
  readonly unnumbered?: string;
}

export interface BridgeDomain {
  readonly interfaces: readonly string[];
}

export interface Route {
  readonly interface: string;
  readonly via?: string;
}

interface InterfaceMetadata {
  readonly index: number;
}

export const HOST_LINK = "linux/interface/host-name/";

/**
 * A network in memory under a scheduler of its own, with the descriptors of the guide. It writes down every call that reaches it in
 * the guide's words (`create interface/my-tap`), and fails on demand.
 */
export class Network {
  readonly clock = new FakeClock();
  readonly scheduler: Scheduler;
  readonly interfaces = createMetadataMap<InterfaceMetadata>(({ index }) => ({ index: String(index) }));
  /** What is there. */
  readonly below = new Map<string, object>();
  private readonly faults = new Map<string, { left: number; readonly takesEffect: boolean }>();
  private calls: string[] = [];
  private nextIndex = 1;

  constructor(options: SchedulerOptions = {}) {
    this.scheduler = createScheduler({ clock: this.clock, ...options });
    this.scheduler.registerDescriptor(this.interfaceDescriptor());
    this.scheduler.registerDescriptor(this.bridgeDomainDescriptor());
    this.scheduler.registerDescriptor(this.routeDescriptor());
    this.scheduler.registerDescriptor(this.derived("interface-address/"));
    this.scheduler.registerDescriptor({
      ...this.derived<{ of: string }>("unnumbered/"),
      dependencies: (_key, { of }) => [
        { label: `an address of ${of}`, anyOf: { prefixes: [`interface-address/${of}/`] } },
      ],
    });
    this.scheduler.registerDescriptor({
      ...this.derived<{ interface: string }>("bridged/"),
      dependencies: (_key, value) => [{ label: `interface ${value.interface}`, key: `interface/${value.interface}` }],
    });
    this.scheduler.registerDescriptor({
      name: HOST_LINK,
      prefix: HOST_LINK,
      retrieve: () => this.retrieve(HOST_LINK, "southbound"),
    });
  }

  /** Commits values by key; `undefined` deletes. */
  commit(
    changes: Readonly<Record<string, object | undefined>>,
    options: Partial<TransactionSpec> = {},
  ): Promise<TransactionRecord> {
    return this.scheduler.commit({ changes: Object.entries(changes), ...options });
  }

  /** Calls since the last time this was asked. */
  took(): readonly string[] {
    const { calls } = this;
    this.calls = [];
    return calls;
  }

  state(key: string): ValueState {
    return this.scheduler.status(key).state;
  }

  /** The next call of this name (`create route/my-route`) fails, though it may have done its work. */
  breakDown(call: string, { times = 1, takesEffect = false } = {}): void {
    this.faults.set(call, { left: times, takesEffect });
  }

  /** Somebody else adds a host link, and the interface watcher tells. */
  async hostLinkAppears(name: string): Promise<void> {
    this.below.set(HOST_LINK + name, {});
    this.scheduler.notify([{ key: HOST_LINK + name, value: {} }]);
    await this.idle();
  }

  async hostLinkGoes(name: string): Promise<void> {
    this.below.delete(HOST_LINK + name);
    this.scheduler.notify([{ key: HOST_LINK + name, value: undefined }]);
    await this.idle();
  }

  /** Lets the time come for a retry and waits for its end. */
  async pass(ms: number): Promise<void> {
    this.clock.advance(ms);
    await this.idle();
  }

  /** Waits for every transaction that was handed in before. */
  async idle(): Promise<void> {
    await this.scheduler.commit({ changes: [], simulate: true });
  }

  private interfaceDescriptor(): Descriptor<Interface, InterfaceMetadata> {
    return {
      name: "interface",
      prefix: "interface/",
      metadataMap: this.interfaces,
      validate: (_key, { mtu = 1500 }) =>
        mtu < 68 ? [{ field: "mtu", problem: `is ${mtu}, expected at least 68` }] : [],
      create: async (key, value) => {
        await this.call("create", key, own(value));
        return { index: this.nextIndex++ };
      },
      update: async (key, _old, value, metadata) => {
        await this.call("update", key, own(value));
        return metadata;
      },
      delete: (key) => this.call("delete", key, undefined),
      equivalent: (_key, a, b) => deepEqual(own(a), own(b)),
      updateWithRecreate: (_key, old, value) => old.type !== value.type || old.rx_ring_size !== value.rx_ring_size,
      dependencies: (_key, { host_if_name: host }) =>
        host === undefined ? [] : [{ label: `host link ${host}`, key: HOST_LINK + host }],
      derivedValues: (key, { ip_addresses: addresses = [], unnumbered }) => {
        const name = key.slice("interface/".length);
        const parts = addresses.map((address) => ({ key: `interface-address/${name}/${address}`, value: {} }));
        return unnumbered === undefined ? parts : [...parts, { key: `unnumbered/${name}`, value: { of: unnumbered } }];
      },
      retrieve: (_correlate, only) => this.retrieve("interface/", "northbound", only, (key) => this.interfaceAt(key)),
    };
  }

  private bridgeDomainDescriptor(): Descriptor<BridgeDomain> {
    return {
      ...this.derived<BridgeDomain>("bridge-domain/"),
      update: (key) => this.call("update", key, {}),
      equivalent: () => true,
      derivedValues: (key, { interfaces }) => {
        const name = key.slice("bridge-domain/".length);
        return interfaces.map((each) => ({ key: `bridged/${name}/${each}`, value: { interface: each } }));
      },
      retrieve: (_correlate, only) =>
        this.retrieve("bridge-domain/", "northbound", only, (key) => ({
          interfaces: this.partsOf(`bridged/${key.slice("bridge-domain/".length)}/`),
        })),
    };
  }

  private routeDescriptor(): Descriptor<Route> {
    return {
      ...this.derived<Route>("route/"),
      dependencies: (_key, route) => [{ label: `interface ${route.interface}`, key: `interface/${route.interface}` }],
      retrieve: (_correlate, only) => this.retrieve("route/", "northbound", only),
    };
  }

  /** Something that is there or not, and cannot be changed. */
  private derived<V extends object>(prefix: string): Descriptor<V> {
    return {
      name: prefix,
      prefix,
      create: (key, value) => this.call("create", key, value),
      delete: (key) => this.call("delete", key, undefined),
    };
  }

  private async call(operation: string, key: string, value: object | undefined): Promise<void> {
    const name = `${operation} ${key}`;
    this.calls.push(name);
    const fault = this.faults.get(name);
    const fails = fault !== undefined && fault.left > 0;
    if (!fails || fault.takesEffect) {
      if (value === undefined) this.below.delete(key);
      else this.below.set(key, value);
    }
    if (!fails) return;
    fault.left--;
    throw new Error(`${name} broke down`);
  }

  private async retrieve<V extends object, M>(
    prefix: string,
    origin: "northbound" | "southbound",
    only?: ReadonlySet<string>,
    valueAt: (key: string) => V = (key) => this.below.get(key) as V,
  ): Promise<RetrievedValue<V, M>[]> {
    const keys = [...this.below.keys()].filter((key) => key.startsWith(prefix) && (only?.has(key) ?? true));
    this.calls.push(`retrieve ${only === undefined ? prefix : [...only].join(" ")}`);
    return keys.map((key) => ({ key, value: valueAt(key), origin }));
  }

  private interfaceAt(key: string): Interface {
    const name = key.slice("interface/".length);
    const addresses = this.partsOf(`interface-address/${name}/`);
    const unnumbered = this.below.get(`unnumbered/${name}`) as { of: string } | undefined;
    return {
      ...(this.below.get(key) as Interface),
      ...(addresses.length === 0 ? {} : { ip_addresses: addresses }),
      ...(unnumbered === undefined ? {} : { unnumbered: unnumbered.of }),
    };
  }

  private partsOf(prefix: string): string[] {
    return [...this.below.keys()].filter((key) => key.startsWith(prefix)).map((key) => key.slice(prefix.length));
  }
}

/** An interface without what has a life of its own. */
function own({ ip_addresses: _, unnumbered: __, ...value }: Interface): Interface {
  return value;
}
