import type { Dependency, Descriptor } from "#core/scheduler/api/scheduler.js";
import { INTERFACE_STATE_PREFIX } from "#proto/index.js";
import { interfaceAttachmentKey } from "./derived-keys.js";

/** That an interface is there and up, or down: what routes through it wait for. */
export interface InterfaceAdminState {
  readonly interface: string;
  /** Where a change of it drops routes. */
  readonly hostName?: string;
  /** Its own IPv4 addresses, canonical. */
  readonly ipv4: readonly string[];
}

/**
 * That an interface is up, or down, and in its place, as a value that others can depend on. There is nothing to do for it; it has a
 * `create` so that a change is a re-creation, which puts dependents aside.
 */
export class InterfaceStateDescriptor implements Descriptor<InterfaceAdminState, undefined> {
  readonly name = "linux-interface-state";
  readonly prefix = INTERFACE_STATE_PREFIX;

  dependencies(_key: string, { interface: name }: InterfaceAdminState): readonly Dependency[] {
    return [{ label: `attachment of interface ${name}`, key: interfaceAttachmentKey(name) }];
  }

  /** What is brought back with the state comes after the addresses have gone that would take it along. */
  claims(_key: string, { interface: name }: InterfaceAdminState): readonly string[] {
    return [ipv4Claim(name)];
  }

  equivalent(_key: string, before: InterfaceAdminState, after: InterfaceAdminState): boolean {
    return before.hostName === after.hostName && keepsIpv4(before.ipv4, after.ipv4);
  }

  create(): undefined {
    return undefined;
  }
}

/** What is over before an interface's routes come (back): the removal of IPv4 addresses. */
export function ipv4Claim(name: string): string {
  return `IPv4 of ${name}`;
}

/**
 * With the last IPv4 address of a link the kernel drops its IPv4 routes, without a word, and its IPv4 neighbours, also the static
 * ones (net/ipv4/fib_frontend.c, fib_inetaddr_event and fib_disable_ip). An address that stays prevents it: one that changes its
 * place in the order goes for a moment only after others are there.
 */
function keepsIpv4(before: readonly string[], after: readonly string[]): boolean {
  return before.every((address) => after.includes(address)) || after.some((address) => before.includes(address));
}
