import { errorMessage } from "#core/errors.js";
import { token } from "#core/plugin/index.js";
import type { NamespaceHandle, Netlink } from "#plugins/netlink/index.js";
import { namespaceHostNameKey, namespaceHostPresentKey } from "#proto/index.js";
import { SettledLinks } from "./settled-links.js";
import { WatchedNamespace } from "./watched-namespace.js";

/** The named network namespaces whose interfaces are announced while they are there. */
export interface WatchedNamespaces {
  has(name: string): boolean;
}

export const WatchedNamespaces = token<WatchedNamespaces>("WatchedNamespaces");

export interface NamedNamespacesOptions {
  readonly netlink: Netlink;
  readonly names: readonly string[];
  /** In milliseconds. */
  readonly settleDelay: number;
  /** The value under that key came or went: of an interface, or of one of its addresses. */
  readonly tell: (key: string, present: boolean) => void;
  /** What is wrong with the watch of a namespace; `undefined`: nothing any more. */
  readonly onTrouble: (name: string, problem: string | undefined) => void;
}

interface Open {
  readonly handle: NamespaceHandle;
  /** Those that can be used. */
  readonly usable: SettledLinks;
  /** All of them. */
  readonly present: SettledLinks;
  readonly watched: WatchedNamespace;
}

/** Watches named network namespaces, from when they are made until they are removed. */
export class NamespaceWatchers implements WatchedNamespaces {
  private readonly options: NamedNamespacesOptions;
  /** What is known by name, after everything that was known by it before is withdrawn. */
  private readonly open = new Map<string, Promise<Open | undefined>>();
  private unwatch: () => void = () => undefined;
  private closed = false;

  constructor(options: NamedNamespacesOptions) {
    this.options = options;
  }

  has(name: string): boolean {
    return this.options.names.includes(name);
  }

  /** Resolves when what is in those that are there is known. */
  async start(): Promise<void> {
    const { netlink, names } = this.options;
    if (names.length === 0) return;
    this.unwatch = netlink.watchNamed(({ name, created }) => {
      if (this.has(name)) this.changed(name, created);
    });
    for (const name of await netlink.listNamed()) {
      if (this.has(name) && !this.open.has(name)) this.changed(name, true);
    }
    await Promise.all(this.open.values());
  }

  /** The keys of what is announced, once it is known. */
  async announced(): Promise<readonly string[]> {
    const known = [...this.open].map(async ([namespace, opening]) => {
      const open = await opening;
      await open?.watched.look();
      return open === undefined ? [] : keysOf(namespace, open);
    });
    return (await Promise.all(known)).flat();
  }

  async close(): Promise<void> {
    this.closed = true;
    this.unwatch();
    for (const open of await Promise.all(this.open.values())) close(open);
    this.open.clear();
  }

  /** What was there is gone. If it is `there` (again), it is another one. */
  private changed(name: string, there: boolean): void {
    const before = this.open.get(name);
    const gone = before?.then((open) => {
      open?.watched.forget();
      close(open);
      this.options.onTrouble(name, undefined);
      return undefined;
    });
    if (there) this.open.set(name, gone === undefined ? this.watch(name) : gone.then(() => this.watch(name)));
    else if (gone !== undefined) this.open.set(name, gone);
  }

  private async watch(name: string): Promise<Open | undefined> {
    const { netlink, settleDelay, tell, onTrouble } = this.options;
    const troubled = (error: unknown): void =>
      onTrouble(name, error === undefined ? undefined : `namespace ${name} cannot be watched: ${errorMessage(error)}`);
    let handle: NamespaceHandle | undefined;
    try {
      handle = await netlink.open({ kind: "named", name });
      const usable = new SettledLinks(settleDelay, {
        link: (hostName, present) => tell(namespaceHostNameKey(name, hostName), present),
        address: (hostName, address, present) => tell(namespaceHostNameKey(name, hostName, address), present),
      });
      const listener = {
        link: (hostName: string, present: boolean) => tell(namespaceHostPresentKey(name, hostName), present),
        address: () => undefined,
      };
      const present = new SettledLinks(settleDelay, listener, () => true);
      const watched = new WatchedNamespace(handle, [usable, present], troubled);
      await watched.start();
      troubled(undefined);
      return { handle, usable, present, watched };
    } catch (error) {
      handle?.close();
      // One that is gone again is no trouble.
      if (!this.closed && (await netlink.listNamed()).includes(name)) troubled(error);
      return undefined;
    }
  }
}

function keysOf(namespace: string, { usable, present }: Open): readonly string[] {
  const known = [...usable.announced()].flatMap(({ hostName, addresses }) => [
    namespaceHostNameKey(namespace, hostName),
    ...[...addresses].map((address) => namespaceHostNameKey(namespace, hostName, address)),
  ]);
  return [...known, ...[...present.announced()].map(({ hostName }) => namespaceHostPresentKey(namespace, hostName))];
}

function close(open: Open | undefined): void {
  open?.watched.close();
  open?.handle.close();
}
