import { startThreadAhead } from "#plugins/netlink/ahead.js";

/** What happens to the next messages of a type on their way to the kernel, or on the way back. */
export type NetlinkFault =
  /** They are not sent; the system call fails with this errno. */
  | { readonly kind: "errno"; readonly errno: number }
  /** They are sent after so many ms. */
  | { readonly kind: "delay"; readonly ms: number }
  /** They are carried out, and the kernel's answer is lost (ENOBUFS). */
  | { readonly kind: "lost-answer" }
  /** They are carried out, and what the kernel tells listeners of it is lost (ENOBUFS). */
  | { readonly kind: "lost-events" }
  /** The thread dies before it has sent them. */
  | { readonly kind: "death" };

export const FAULT_KINDS = ["none", "errno", "delay", "lost-answer", "lost-events", "death"] as const;

/** Places in the memory that both threads share. */
export const FAULT = { kind: 0, type: 1, left: 2, argument: 3, hits: 4, size: 5 } as const;

/**
 * Faults between the netlink client and the kernel. The kernel itself, and all of the client but one method of its socket and one that receives, are the
 * real ones. For the next client of this process: make it before the agent is started.
 */
export class NetlinkFaults {
  private readonly memory = new Int32Array(new SharedArrayBuffer(FAULT.size * Int32Array.BYTES_PER_ELEMENT));

  constructor() {
    startThreadAhead({ entry: new URL("./faulty-netlink.js", import.meta.url), data: this.memory });
  }

  /** From now on, for `times` sends that carry a message of that type (RTM_…). */
  inject(fault: NetlinkFault, type: number, times = 1): void {
    const memory = this.memory;
    const argument = fault.kind === "errno" ? fault.errno : fault.kind === "delay" ? fault.ms : 0;
    Atomics.store(memory, FAULT.argument, argument);
    Atomics.store(memory, FAULT.type, type);
    Atomics.store(memory, FAULT.hits, 0);
    Atomics.store(memory, FAULT.left, times);
    Atomics.store(memory, FAULT.kind, FAULT_KINDS.indexOf(fault.kind));
  }

  /** Nothing goes wrong any more. Returns how often it did. */
  end(): number {
    Atomics.store(this.memory, FAULT.left, 0);
    return Atomics.load(this.memory, FAULT.hits);
  }
}
