import { errorMessage } from "#core/errors.js";
import type { NamespaceHandle, Netlink } from "#plugins/netlink/index.js";
import { SettledLinks } from "./settled-links.js";
import { WatchedNamespace } from "./watched-namespace.js";

export interface NamedNamespacesOptions {
  readonly netlink: Netlink;
  readonly names: readonly string[];
  /** In milliseconds. */
  readonly settleDelay: number;
  /** An interface, or one of its addresses, came or went. */
  readonly tell: (namespace: string, hostName: string, address: string | undefined, present: boolean) => void;
  /** What to say of the health; `undefined`: all is well. */
  readonly onTrouble: (problem: string | undefined) => void;
}

interface Open {
  readonly handle: NamespaceHandle;
  readonly links: SettledLinks;
  readonly watched: WatchedNamespace;
}

/** Watches named network namespaces, from when they are made until they are removed. */
export class NamedNamespaces {
  readonly #options: NamedNamespacesOptions;
  readonly #open = new Map<string, Promise<Open | undefined>>();
  #unwatch: () => void = () => undefined;
  #closed = false;

  constructor(options: NamedNamespacesOptions) {
    this.#options = options;
  }

  /** Resolves when what is in those that are there is known. */
  async start(): Promise<void> {
    const { netlink, names } = this.#options;
    if (names.length === 0) return;
    this.#unwatch = netlink.watchNamed(({ name, created }) => {
      if (!names.includes(name)) return;
      this.#gone(name);
      if (created) this.#came(name);
    });
    for (const name of await netlink.listNamed()) if (names.includes(name) && !this.#open.has(name)) this.#came(name);
    await Promise.all(this.#open.values());
  }

  /** What is announced, once it is known. */
  async announced(): Promise<readonly { readonly namespace: string; readonly links: SettledLinks }[]> {
    const known = [...this.#open].map(async ([namespace, opening]) => {
      const open = await opening;
      await open?.watched.inSync;
      return open === undefined ? [] : { namespace, links: open.links };
    });
    return (await Promise.all(known)).flat();
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#unwatch();
    for (const open of await Promise.all(this.#open.values())) close(open);
    this.#open.clear();
  }

  #came(name: string): void {
    this.#open.set(name, this.#watch(name));
  }

  #gone(name: string): void {
    const opening = this.#open.get(name);
    this.#open.delete(name);
    void opening?.then((open) => {
      open?.watched.forget();
      close(open);
    });
  }

  async #watch(name: string): Promise<Open | undefined> {
    const { netlink, settleDelay, tell, onTrouble } = this.#options;
    const troubled = (error: unknown): void =>
      onTrouble(error === undefined ? undefined : `namespace ${name} cannot be watched: ${errorMessage(error)}`);
    let handle: NamespaceHandle | undefined;
    try {
      handle = await netlink.open({ kind: "named", name });
      const links = new SettledLinks(settleDelay, {
        link: (hostName, present) => tell(name, hostName, undefined, present),
        address: (hostName, address, present) => tell(name, hostName, address, present),
      });
      const watched = new WatchedNamespace(handle, [links], troubled);
      await watched.start();
      return { handle, links, watched };
    } catch (error) {
      handle?.close();
      if (!this.#closed) troubled(error);
      return undefined;
    }
  }
}

function close(open: Open | undefined): void {
  open?.watched.close();
  open?.handle.close();
}
