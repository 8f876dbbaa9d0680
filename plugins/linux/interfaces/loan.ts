import { SouthboundError } from "#core/errors.js";
import type { Dependency, Descriptor, Scheduler } from "#core/scheduler/types.js";
import { type Interface, interfaceKey } from "#proto/index.js";
import { isCode } from "../namespaces/index.js";
import { TENUTO_PROTOCOL } from "../protocol.js";
import {
  BORROWED_ADDRESSES_PREFIX,
  INTERFACE_LOAN_PREFIX,
  interfaceLoanKey,
  interfacePlaceKey,
} from "./derived-keys.js";
import type { InterfaceIndex } from "./interface-index.js";
import { addressesOf, addressRequest, lentAddresses } from "./own-addresses.js";

/** The addresses of an interface, all together: what unnumbered interfaces wait for. */
export interface InterfaceLoan {
  /** Logical name of the lender. */
  readonly interface: string;
  readonly addresses: readonly string[];
}

/** There is nothing to do for it; it has a `create` so that a change is a re-creation, and borrowers return what they have. */
export class InterfaceLoanDescriptor implements Descriptor<InterfaceLoan, undefined> {
  readonly name = "linux-interface-loan";
  readonly prefix = INTERFACE_LOAN_PREFIX;

  /** As the addresses do. */
  dependencies(_key: string, { interface: name }: InterfaceLoan): readonly Dependency[] {
    return [{ label: `place of interface ${name}`, key: interfacePlaceKey(name) }];
  }

  create(): undefined {
    return undefined;
  }
}

/** That an interface uses the addresses of another. */
export interface BorrowedAddresses {
  /** Logical names. */
  readonly interface: string;
  readonly lender: string;
}

/**
 * The addresses of unnumbered interfaces, after the example of vpp-agent's KVScheduler (seed 003): the interface is there without them,
 * gets them with the lender's, and returns them before the lender loses its own.
 */
export class BorrowedAddressesDescriptor implements Descriptor<BorrowedAddresses, undefined> {
  readonly name = "linux-interface-borrowed";
  readonly prefix = BORROWED_ADDRESSES_PREFIX;

  constructor(
    private readonly interfaces: InterfaceIndex,
    private readonly scheduler: Pick<Scheduler, "wanted">,
  ) {}

  dependencies(_key: string, { interface: name, lender }: BorrowedAddresses): readonly Dependency[] {
    return [
      { label: `place of interface ${name}`, key: interfacePlaceKey(name) },
      { label: `addresses of interface ${lender}`, key: interfaceLoanKey(lender) },
    ];
  }

  async create(_key: string, { interface: name, lender }: BorrowedAddresses): Promise<undefined> {
    const metadata = this.interfaces.get(name);
    const handle = this.interfaces.namespaceOf(name);
    if (metadata === undefined || handle === undefined) {
      throw new SouthboundError("ENODEV", `interface ${name} is not there to borrow the addresses of ${lender}`);
    }
    const owner: Interface | undefined = this.scheduler.wanted(interfaceKey(lender));
    const addresses = lentAddresses(owner === undefined ? [] : addressesOf(owner));
    await Promise.all(addresses.map((address) => handle.addrReplace(addressRequest(metadata.index, { address }))));
  }

  /** An unnumbered interface has no addresses of ours but these. */
  async delete(_key: string, { interface: name }: BorrowedAddresses): Promise<void> {
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
