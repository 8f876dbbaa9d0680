import type { AgentEvent } from "#core/northbound/index.js";
import type { InterfaceConfiguration } from "./configuration.js";
import type { Machine } from "./machine.js";
import type { ManagedInterface } from "./managed-interface.js";

/** `tenuto.ifmgr.InterfaceStatus` with every field. */
export function statusOf(hostName: string, managed: ManagedInterface<InterfaceConfiguration>): object {
  const { machine, lastEvent = "", error, since } = managed;
  return {
    interface: hostName,
    state: machine.state,
    last_event: lastEvent,
    candidate: [...machine.candidate.keys()].sort(),
    running: [...machine.running.keys()].sort(),
    error,
    since: since.toISOString(),
  };
}

/** What a step of the machine is to be announced as; the states between plugged and unplugged are nobody's business. */
export function notifications(
  before: Machine<InterfaceConfiguration>,
  after: Machine<InterfaceConfiguration>,
  wasPlugged: boolean,
): readonly ("CONFIGURATION_UPDATED" | "INTERFACE_STATE")[] {
  const plugged = after.state === "PLUGGED" ? true : after.state === "UNPLUGGED" ? false : undefined;
  return [
    ...(before.running === after.running ? [] : (["CONFIGURATION_UPDATED"] as const)),
    ...(plugged === undefined || plugged === wasPlugged ? [] : (["INTERFACE_STATE"] as const)),
  ];
}

export function eventOf(
  hostName: string,
  type: "CONFIGURATION_UPDATED" | "INTERFACE_STATE",
  status: object,
): AgentEvent {
  return { kind: "ifmgr", name: hostName, data: { type, status } };
}
