import type { Command } from "commander";
import type { InterfaceState, InterfaceStates, NetNamespace } from "#proto/index.js";
import { type ClientOptions, clientCommand } from "../client-command.js";
import { columns } from "../columns.js";
import { print } from "../output.js";

const UNITS = ["B", "kB", "MB", "GB", "TB", "PB"];

/** `tenuto interfaces`: what there is, as opposed to what is desired. */
export function interfacesCommand(): Command {
  return clientCommand<ClientOptions, [name?: string]>({
    usage: "interfaces [name]",
    summary: "print the state of interfaces",
    description:
      "Print the state of every interface that the agent reports: type, namespace, administrative and operational state, addresses, the bridge, bond or VRF that it belongs to, MTU, and bytes since it was made.",
    examples: ["tenuto interfaces", "tenuto interfaces uplink -o yaml"],
    run: async (client, { output }, name) => {
      const { interfaces = [] } = (await client.request("interfaces", "get", {
        interface: name ?? "",
      })) as InterfaceStates;
      await print(output, interfaces, () => interfaceTable(interfaces));
    },
  });
}

function interfaceTable(interfaces: readonly InterfaceState[]): string {
  if (interfaces.length === 0)
    return 'no interfaces are reported: nothing is configured, or interface-state.interfaces is "managed"\n';
  const rows = interfaces.map((state) => [
    state.name ?? "",
    state.internal_name === state.name ? "" : (state.internal_name ?? ""),
    (state.type ?? "UNDEFINED").toLowerCase().replaceAll("_", "-"),
    namespaceName(state.namespace),
    `${word(state.admin_status)}/${word(state.oper_status)}`,
    state.mtu === undefined ? "" : String(state.mtu),
    state.master ?? "",
    bytes(state.statistics?.in_bytes),
    bytes(state.statistics?.out_bytes),
    (state.ip_addresses ?? []).join(" "),
  ]);
  const heading = [
    "name",
    "host name",
    "type",
    "namespace",
    "admin/oper",
    "mtu",
    "master",
    "received",
    "sent",
    "addresses",
  ];
  return columns(heading, rows);
}

function word(status: string | undefined): string {
  return status === undefined || status === "UNKNOWN_STATUS" ? "?" : status.toLowerCase();
}

function namespaceName(namespace: NetNamespace | undefined): string {
  const { type = "UNDEFINED", reference = "" } = namespace ?? {};
  if (reference === "") return "";
  return type === "NSID" || type === "UNDEFINED" ? reference : `${type.toLowerCase()}:${reference}`;
}

function bytes(count = "0"): string {
  let amount = Number(count);
  let unit = 0;
  while (amount >= 1000 && unit < UNITS.length - 1) {
    amount /= 1000;
    unit += 1;
  }
  return `${unit === 0 || amount >= 100 ? Math.round(amount) : amount.toFixed(1)} ${UNITS[unit]}`;
}
