import type { Dependency, Descriptor } from "#core/scheduler/types.js";
import { INTERFACE_STATE_PREFIX } from "#proto/index.js";
import type { InterfaceAdminState } from "./canonical.js";
import { interfacePlaceKey } from "./derived-keys.js";

/**
 * That an interface is up, or down, and in its place, as a value that others can depend on. There is nothing to do for it; it has a
 * `create` so that a change is a re-creation, which puts dependents aside.
 */
export class InterfaceStateDescriptor implements Descriptor<InterfaceAdminState, undefined> {
  readonly name = "linux-interface-state";
  readonly prefix = INTERFACE_STATE_PREFIX;

  dependencies(_key: string, { interface: name }: InterfaceAdminState): readonly Dependency[] {
    return [{ label: `place of interface ${name}`, key: interfacePlaceKey(name) }];
  }

  create(): undefined {
    return undefined;
  }
}
