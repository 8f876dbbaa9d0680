import { AgentInfo } from "#core/agent/types.js";
import { ModelRegistry } from "#core/model/types.js";
import { type All, inject, injectAll, type Plugin, plugin, provide } from "#core/plugin/index.js";
import { Scheduler } from "#core/scheduler/api/token.js";
import { WatchedNamespaces } from "#plugins/interface-watcher/index.js";
import { interfaceModel } from "#proto/index.js";
import { Namespaces } from "../namespaces/index.js";
import { AddressDescriptor } from "./address.js";
import { InterfaceAttachmentDescriptor } from "./attachment.js";
import { InterfaceDescriptor } from "./descriptor.js";
import { InterfaceIndex } from "./interface-index.js";
import { InterfaceLeases } from "./leases.js";
import { LinkSettingsDescriptor } from "./link-settings.js";
import { Marker } from "./marker.js";
import { InterfacePeerDescriptor } from "./peer.js";
import { InterfacePortDescriptor, InterfaceVlansDescriptor } from "./port.js";
import { InterfaceStateDescriptor } from "./state.js";
import { InterfaceTable } from "./table.js";
import { UnnumberedAddressesDescriptor, UnnumberedDonorDescriptor } from "./unnumbered.js";
import { VrfMembershipDescriptor } from "./vrf.js";

/** Interfaces of every type with their addresses. Provides {@link InterfaceIndex}. */
@plugin({
  name: "linux-interfaces",
  description: "Linux interfaces of every type, with their addresses.",
  provides: [provide(InterfaceIndex, (self: InterfacesPlugin) => self.index)],
})
export class InterfacesPlugin implements Plugin {
  private readonly leases = new InterfaceLeases();
  private readonly table = new InterfaceTable(this.leases);
  readonly index: InterfaceIndex = this.table;
  private unwatch: () => void = () => undefined;

  constructor(
    @inject(Namespaces) private readonly namespaces: Namespaces,
    @inject(Scheduler) private readonly scheduler: Scheduler,
    @inject(ModelRegistry) private readonly models: ModelRegistry,
    @inject(AgentInfo) private readonly agent: AgentInfo,
    @injectAll(WatchedNamespaces) private readonly watched: All<WatchedNamespaces>,
  ) {}

  init(): void {
    this.models.register(interfaceModel);
    this.scheduler.registerDescriptor(
      new InterfaceDescriptor({
        namespaces: this.namespaces,
        scheduler: this.scheduler,
        leases: this.leases,
        marker: new Marker(this.agent.label),
        metadataMap: this.table.metadata,
        isWatched: (name) => this.watched.get().some((watched) => watched.has(name)),
      }),
    );
    this.scheduler.registerDescriptor(new AddressDescriptor(this.index, this.scheduler));
    this.scheduler.registerDescriptor(new InterfaceStateDescriptor());
    this.scheduler.registerDescriptor(new InterfaceAttachmentDescriptor());
    this.scheduler.registerDescriptor(new InterfacePeerDescriptor());
    this.scheduler.registerDescriptor(new InterfacePortDescriptor(this.index, this.scheduler));
    this.scheduler.registerDescriptor(new InterfaceVlansDescriptor());
    this.scheduler.registerDescriptor(new UnnumberedDonorDescriptor());
    this.scheduler.registerDescriptor(new UnnumberedAddressesDescriptor(this.index, this.scheduler));
    this.scheduler.registerDescriptor(new LinkSettingsDescriptor(this.index, this.scheduler));
    this.scheduler.registerDescriptor(new VrfMembershipDescriptor(this.index, this.scheduler));
    this.unwatch = this.scheduler.watchTransactions(() => {
      this.leases.keepOnly((name) => this.table.get(name) !== undefined, this.table.metadata.size);
    });
  }

  close(): void {
    // The leases are kept: nothing that was made is given up because the agent ends. Their sockets go with the netlink client.
    this.unwatch();
  }
}
