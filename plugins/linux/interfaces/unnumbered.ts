import { SouthboundError } from "#core/errors.js";
import type { Dependency, Descriptor, Scheduler } from "#core/scheduler/api/scheduler.js";
import { type Interface, interfaceKey } from "#proto/index.js";
import { isCode } from "../namespaces/index.js";
import { TENUTO_PROTOCOL } from "../protocol.js";
import {
  interfaceAttachmentKey,
  UNNUMBERED_ADDRESSES_PREFIX,
  UNNUMBERED_DONOR_PREFIX,
  unnumberedDonorKey,
} from "./derived-keys.js";
import type { InterfaceIndex } from "./interface-index.js";
import { addressesOf, addressRequest, donorAddresses } from "./own-addresses.js";

/** The addresses of an interface, all together: what unnumbered interfaces wait for. */
export interface UnnumberedDonor {
  /** Logical name of the donor. */
  readonly interface: string;
  readonly addresses: readonly string[];
}

/** There is nothing to do for it; it has a `create` so that a change is a re-creation, and unnumbered interfaces return what they have. */
export class UnnumberedDonorDescriptor implements Descriptor<UnnumberedDonor, undefined> {
  readonly name = "linux-interface-unnumbered-donor";
  readonly prefix = UNNUMBERED_DONOR_PREFIX;

  /** As the addresses do. */
  dependencies(_key: string, { interface: name }: UnnumberedDonor): readonly Dependency[] {
    return [{ label: `attachment of interface ${name}`, key: interfaceAttachmentKey(name) }];
  }

  create(): undefined {
    return undefined;
  }
}

/** That an interface uses the addresses of another. */
export interface UnnumberedAddresses {
  /** Logical names. */
  readonly interface: string;
  readonly donor: string;
}

/**
 * The addresses of unnumbered interfaces, after the example of vpp-agent's KVScheduler: the interface is there without them,
 * gets them with the donor's, and returns them before the donor loses its own.
 */
export class UnnumberedAddressesDescriptor implements Descriptor<UnnumberedAddresses, undefined> {
  readonly name = "linux-interface-unnumbered";
  readonly prefix = UNNUMBERED_ADDRESSES_PREFIX;

  constructor(
    private readonly interfaces: InterfaceIndex,
    private readonly scheduler: Pick<Scheduler, "desired">,
  ) {}

  dependencies(_key: string, { interface: name, donor }: UnnumberedAddresses): readonly Dependency[] {
    return [
      { label: `attachment of interface ${name}`, key: interfaceAttachmentKey(name) },
      { label: `addresses of interface ${donor}`, key: unnumberedDonorKey(donor) },
    ];
  }

  async create(_key: string, { interface: name, donor }: UnnumberedAddresses): Promise<undefined> {
    const metadata = this.interfaces.get(name);
    const handle = this.interfaces.namespaceOf(name);
    if (metadata === undefined || handle === undefined) {
      throw new SouthboundError("ENODEV", `interface ${name} is not there to borrow the addresses of ${donor}`);
    }
    const owner: Interface | undefined = this.scheduler.desired(interfaceKey(donor));
    const addresses = donorAddresses(owner === undefined ? [] : addressesOf(owner));
    await Promise.all(addresses.map((address) => handle.addrReplace(addressRequest(metadata.index, { address }))));
  }

  /** An unnumbered interface has no addresses of ours but these. */
  async delete(_key: string, { interface: name }: UnnumberedAddresses): Promise<void> {
    const metadata = this.interfaces.get(name);
    const handle = this.interfaces.namespaceOf(name);
    if (metadata === undefined || handle === undefined) return;
    const found = await handle.addrList({ linkIndex: metadata.index });
    const ours = found.filter(({ protocol }) => protocol === TENUTO_PROTOCOL);
    await Promise.all(
      ours.map(async ({ address }) => {
        try {
          await handle.addrDel({ linkIndex: metadata.index, address });
        } catch (error) {
          if (!isCode(error, "EADDRNOTAVAIL", "ENODEV", "ESRCH")) throw error;
        }
      }),
    );
  }
}
