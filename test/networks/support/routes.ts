/** Routes and rules of a document, as iproute2 sees them. */
import type { ExecutionContext } from "ava";
import type { Change } from "#client/types.js";
import { INTERFACE_PREFIX, type Interface, type Route, type Rule, routeModel, ruleModel } from "#proto/index.js";
import { ip } from "#test/support/sandbox.js";

interface SeenRoute {
  readonly type: string;
  readonly dst: string;
  readonly table: string;
  readonly metric?: number;
  readonly gateway?: string;
  readonly via?: { readonly host: string };
  readonly dev?: string;
  readonly nexthops?: readonly {
    readonly gateway?: string;
    readonly via?: { readonly host: string };
    readonly dev: string;
  }[];
}

/** What the agent marks its routes and rules with. */
const OURS = "199";
const TABLES: Readonly<Record<string, number>> = { main: 254, local: 255, default: 253 };

/** Each namespace has the routes and the rules of the document, and no others with the mark of an agent. */
export async function routesAreSeen(t: ExecutionContext, changes: readonly Change[], when: string): Promise<void> {
  const values = <T>(prefix: string): readonly T[] =>
    changes.flatMap((change) => (change.delete !== true && change.key.startsWith(prefix) ? [change.value as T] : []));
  const links = new Map(values<Interface>(INTERFACE_PREFIX).map((each) => [each.name ?? "", each]));
  const desired = values<Route>(routeModel.prefix).map((route) => describe(route, links));
  const places = [...new Set([...links.values()].map(placeOf))];
  const seen = await Promise.all(places.map(seenRoutes));
  t.deepEqual(seen.flat().sort(), desired.sort(), `${when}routes`);
  const rules = values<Rule>(ruleModel.prefix).map(
    ({ priority, namespace }) => `${namespace?.reference ?? ""} ${priority}`,
  );
  t.deepEqual((await Promise.all(places.map(seenRules))).flat().sort(), rules.sort(), `${when}rules`);
}

function placeOf({ namespace }: Pick<Interface, "namespace">): string {
  return namespace?.reference?.replace("/run/netns/", "") ?? "";
}

function describe(route: Route, links: ReadonlyMap<string, Interface>): string {
  const hops = route.next_hops?.length ? route.next_hops : [route];
  const of = (name = ""): Interface => links.get(name) ?? {};
  const first = of(hops[0]?.outgoing_interface);
  const table = route.table || of(route.vrf ?? first.vrf_master_interface).vrf_dev?.routing_table || 254;
  const isIPv6 = route.dst_network?.includes(":");
  const ways =
    route.type === undefined || route.type === "UNICAST"
      ? hops.map((hop) => `${hop.gw_addr ?? ""}%${of(hop.outgoing_interface).host_if_name ?? hop.outgoing_interface}`)
      : [route.type.toLowerCase()];
  const place = placeOf(route.namespace === undefined ? first : route);
  return [place, table, route.dst_network, route.metric || (isIPv6 ? 1024 : 0), ...ways.sort()].join(" ");
}

async function seenRoutes(place: string): Promise<readonly string[]> {
  const where = place === "" ? {} : { namespace: place };
  const families = await Promise.all(
    ["-4", "-6"].map((family) => ip<SeenRoute>(family, "-d", "route", "show", "table", "all", "proto", OURS, where)),
  );
  return families.flatMap((routes, i) =>
    routes.map((route) => {
      const hops = route.nexthops ?? [route];
      const ways =
        route.type === "unicast" ? hops.map((hop) => `${hop.gateway ?? hop.via?.host ?? ""}%${hop.dev}`) : [route.type];
      const dst = route.dst === "default" ? ["0.0.0.0/0", "::/0"][i] : whole(route.dst);
      return [place, TABLES[route.table] ?? route.table, dst, route.metric ?? 0, ...ways.sort()].join(" ");
    }),
  );
}

/** iproute2 leaves out the length of a host's prefix. */
function whole(dst: string): string {
  if (dst.includes("/")) return dst;
  return `${dst}/${dst.includes(":") ? 128 : 32}`;
}

async function seenRules(place: string): Promise<readonly string[]> {
  const where = place === "" ? {} : { namespace: place };
  const families = await Promise.all(
    ["-4", "-6"].map((family) => ip<{ priority: number; protocol?: string }>(family, "-d", "rule", "show", where)),
  );
  return families
    .flat()
    .filter(({ protocol }) => protocol === OURS)
    .map(({ priority }) => `${place} ${priority}`);
}
