import type { Descriptor } from "#core/scheduler/api/scheduler.js";
import { INTERFACE_PEER_PREFIX } from "./derived-keys.js";

/** That an end of a pair is there and names the other one, which waits for this. There is nothing to do for it. */
export class InterfacePeerDescriptor implements Descriptor {
  readonly name = "linux-interface-peer";
  readonly prefix = INTERFACE_PEER_PREFIX;
}
