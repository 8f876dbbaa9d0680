import { canonicalNetwork } from "./addresses.js";
import { firstGenerationInterface } from "./first-generation.js";
import type { ARPEntry, Interface, Registration, Route, Rule } from "./generated/index.js";
import * as keys from "./keys.js";
import { ModelError } from "./model-error.js";

/**
 * A message that is configured under keys of its own. Registered by the plugin that handles it, and shared with
 * clients. What the functions throw is {@link ModelError}; whoever calls them adds the key.
 */
export interface Model<V extends object> {
  /** `linux.interfaces.interface`: what dumps and error messages call it. */
  readonly name: string;
  /** `config/linux/interfaces/v2/interface/`, with the slash. */
  readonly prefix: string;
  /** Full protobuf name: `ligato.linux.interfaces.Interface`. */
  readonly message: string;
  /** The fields that the key is made of. */
  readonly nameFields: readonly string[];
  /** The part of the key behind the prefix, made from the canonical value. Throws when a field it needs is missing. */
  nameOf(value: V): string;
  /** The one spelling of such a name, when there are several: `10.1.2.3/16` is the network `10.1.0.0/16`. */
  normaliseName?(name: string): string;
  /** Older ways to write the same value. They are translated when decoded. */
  readonly olderForms?: readonly OlderForm<V>[];
}

/** How a value used to be written, under keys of its own. */
export interface OlderForm<V extends object> {
  /** Of its keys, with the slash. */
  readonly prefix: string;
  /** Full protobuf name of its message. */
  readonly message: string;
  /** The value in today's form, canonical. `name` is the part of the old key behind the prefix. */
  translate(name: string, value: object): V;
}

function present<T extends string | number>(field: string, value: T | undefined): T {
  if (value === undefined || value === "") {
    throw new ModelError("MISSING_FIELD", field, "is missing, and the key is made of it");
  }
  return value;
}

export const interfaceModel: Model<Interface> = {
  name: "linux.interfaces.interface",
  prefix: keys.INTERFACE_PREFIX,
  message: "ligato.linux.interfaces.Interface",
  nameFields: ["name"],
  nameOf: (value) => present("name", value.name),
  olderForms: [firstGenerationInterface],
};

/** What stands in the key of a route for an interface that it does not have. */
function routeExit(route: Route): string {
  if (route.type !== undefined && route.type !== "UNICAST") return route.type.toLowerCase();
  if (route.next_hops !== undefined && route.next_hops.length > 0) return "multipath";
  return present("outgoing_interface", route.outgoing_interface);
}

export const routeModel: Model<Route> = {
  name: "linux.l3.route",
  prefix: keys.ROUTE_PREFIX,
  message: "ligato.linux.l3.Route",
  nameFields: ["dst_network", "outgoing_interface"],
  nameOf: (value) =>
    keys.routeName(present("dst_network", value.dst_network), value.outgoing_interface || routeExit(value)),
  normaliseName(name) {
    const parts = keys.parseRouteName(name);
    if (parts === undefined) return name;
    const canonical = canonicalNetwork(parts.network) ?? parts.network;
    return canonical === parts.network ? name : `${canonical}/${parts.outgoingInterface}`;
  },
};

export const arpModel: Model<ARPEntry> = {
  name: "linux.l3.arp",
  prefix: keys.ARP_PREFIX,
  message: "ligato.linux.l3.ARPEntry",
  nameFields: ["interface", "ip_address"],
  nameOf: (value) => keys.arpName(present("interface", value.interface), present("ip_address", value.ip_address)),
  normaliseName(name) {
    const parts = keys.parseArpName(name);
    return parts ? keys.arpName(parts.interfaceName, parts.ipAddress) : name;
  },
};

export const ruleModel: Model<Rule> = {
  name: "linux.l3.rule",
  prefix: keys.RULE_PREFIX,
  message: "tenuto.linux.l3.Rule",
  nameFields: ["priority"],
  nameOf: (value) => String(present("priority", value.priority)),
};

export const registrationModel: Model<Registration> = {
  name: "linux.ifmgr.interface",
  prefix: keys.REGISTRATION_PREFIX,
  message: "tenuto.ifmgr.Registration",
  nameFields: ["interface"],
  nameOf: (value) => present("interface", value.interface),
};

/** Every model of the contract. */
export const models: readonly Model<object>[] = [interfaceModel, routeModel, arpModel, ruleModel, registrationModel];
