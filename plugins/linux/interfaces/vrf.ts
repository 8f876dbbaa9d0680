import { SouthboundError } from "#core/errors.js";
import type { Dependency, Descriptor, Scheduler } from "#core/scheduler/api/scheduler.js";
import { parseInterfaceVrfKey } from "#proto/index.js";
import { type InterfaceAttachment, vrfClaim } from "./attachment.js";
import { interfaceAttachmentKey } from "./derived-keys.js";
import type { InterfaceIndex } from "./interface-index.js";
import type { MemberLinks } from "./link-type.js";
import { leaveMaster, linksOf } from "./member-links.js";

/**
 * That an interface belongs to a VRF, derived from the interface. The kernel sets the link down and up again when it joins or
 * leaves (drivers/net/vrf.c, cycle_netdev), and drops its routes and IPv6 addresses: those wait for the interface's
 * place, which waits for this.
 */
export class VrfMembershipDescriptor implements Descriptor<InterfaceAttachment, undefined> {
  readonly name = "linux-interface-vrf";
  readonly prefix = "linux/interface/";

  constructor(
    private readonly interfaces: InterfaceIndex,
    private readonly scheduler: Pick<Scheduler, "desired">,
  ) {}

  selects(key: string): boolean {
    return parseInterfaceVrfKey(key) !== undefined;
  }

  dependencies(_key: string, { vrf = "" }: InterfaceAttachment): readonly Dependency[] {
    return [{ label: `VRF ${vrf}`, key: interfaceAttachmentKey(vrf) }];
  }

  claims(_key: string, { interface: name }: InterfaceAttachment): readonly string[] {
    return [vrfClaim(name)];
  }

  async create(_key: string, place: InterfaceAttachment): Promise<undefined> {
    const type = this.interfaces.get(place.vrf ?? "")?.type;
    if (type !== "VRF_DEVICE") {
      const message = `${place.interface} cannot belong to ${place.vrf}, which is of type ${type}`;
      throw new SouthboundError("EINVAL", message, { field: "vrf_master_interface" });
    }
    const { handle, link, master } = await this.links(place);
    if (link.master !== master) await handle.linkSet({ index: link.index, master });
  }

  async delete(_key: string, place: InterfaceAttachment): Promise<void> {
    await leaveMaster(
      () => this.links(place),
      ({ handle, link }) => handle.linkSet({ index: link.index, master: 0 }),
    );
  }

  private links({ interface: name, vrf = "" }: InterfaceAttachment): Promise<MemberLinks> {
    return linksOf(this.interfaces, this.scheduler, name, vrf);
  }
}
