import type { EventGroup, NamespaceHandle, NetlinkEvent } from "#plugins/netlink/index.js";

/** Events that are only worth their cost while values of that kind are desired. */
export type OptionalGroup = Extract<EventGroup, "route" | "neighbour" | "rule">;

/** The kernel's events of one namespace, for as long as somebody has a use for them. */
export class FollowedNamespace {
  /** What is followed there: names of interfaces, keys of values that have none. */
  readonly uses = new Set<string>();
  private readonly unsubscribe: (() => void)[] = [];
  private readonly groups = new Set<EventGroup>();
  private closed = false;

  /** @param hear is called with every event. */
  constructor(
    readonly handle: NamespaceHandle,
    private readonly hear: (event: NetlinkEvent) => void,
  ) {}

  /** Listens to links and addresses, and to what else there is a use for now. Groups that are listened to already are left out. */
  async listen(groups: Iterable<OptionalGroup>): Promise<void> {
    const fresh = (["link", "netconf", "address", ...groups] as const).filter((group) => !this.groups.has(group));
    if (fresh.length === 0 || this.closed) return;
    for (const group of fresh) this.groups.add(group);
    // What we do to routes ourselves is no drift, and there may be a hundred thousand of them.
    const unsubscribe = await this.handle.subscribe(fresh, this.hear, { ownRoutes: false });
    if (this.closed) unsubscribe();
    else this.unsubscribe.push(unsubscribe);
  }

  close(): void {
    this.closed = true;
    for (const unsubscribe of this.unsubscribe.splice(0)) unsubscribe();
    this.handle.close();
  }
}
