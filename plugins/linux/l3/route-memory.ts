import { DumpMemory } from "#plugins/netlink/index.js";
import { tableOf } from "./place.js";
import type { RetrievedRoute, RouteReaderParts } from "./route-retrieval.js";

/** A link of one namespace, with what its routes have in common. */
export interface Exit {
  readonly name: string;
  /** Of routes that name none. */
  readonly table: number;
}

/** The links of a namespace that are ours, by their indexes. */
export type Exits = ReadonlyMap<number, Exit>;

export function exitsOf({ interfaces, scheduler }: RouteReaderParts, identity: string): Exits {
  const exits = new Map<number, Exit>();
  for (const { name, index, namespaceIdentity } of interfaces.all()) {
    if (namespaceIdentity === identity) exits.set(index, { name, table: tableOf(scheduler, name) });
  }
  return exits;
}

/**
 * What the routes of each namespace were found to be the last time that all were read. It is good as long as the links are the same:
 * then a message that has not changed means the same route.
 */
export class RouteMemories {
  #memories = new Map<string, Memory>();
  #before = this.#memories;

  /** From now on all namespaces are read again; those that are not are forgotten with the read after. */
  begin(): void {
    this.#before = this.#memories;
    this.#memories = new Map();
  }

  of(identity: string, exits: Exits): DumpMemory<RetrievedRoute> {
    const links = JSON.stringify(Array.from(exits, ([index, { name, table }]) => [index, name, table]).sort());
    const known = this.#memories.get(identity) ?? this.#before.get(identity);
    const memory = known?.links === links ? known : { links, dump: new DumpMemory<RetrievedRoute>() };
    this.#memories.set(identity, memory);
    return memory.dump;
  }
}

interface Memory {
  /** The links that it is good for. */
  readonly links: string;
  readonly dump: DumpMemory<RetrievedRoute>;
}
