import { InvalidInputError } from "#core/errors.js";
import type { Change, GroupRequest, Northbound, RequestGroup } from "#core/northbound/index.js";
import { type InterfaceRequest, registrationKey } from "#proto/index.js";
import { isHostName } from "./descriptor.js";
import type { InterfaceManager } from "./interface-manager.js";

type Handler = (request: InterfaceRequest) => Promise<object> | object;

/** The five actions of ifmgrctl, and `get`. Every answer is a `tenuto.ifmgr.InterfaceList`. */
export class IfmgrRequests implements RequestGroup {
  readonly name = "ifmgr";
  readonly requests: Readonly<Record<string, GroupRequest>>;

  constructor(
    private readonly manager: InterfaceManager,
    private readonly northbound: Northbound,
  ) {
    this.requests = {
      get: { ...request(({ interface: name }) => this.list(name || undefined)), safe: true },
      apply: request(() => this.apply()),
      plug: request((asked) => this.send(asked, "plug")),
      unplug: request((asked) => this.send(asked, "unplug")),
      register: request((asked) => this.register(asked)),
      unregister: request((asked) => this.unregister(asked)),
    };
  }

  private async apply(): Promise<object> {
    await this.manager.apply();
    return this.list();
  }

  private send(asked: InterfaceRequest, type: "plug" | "unplug"): object {
    const name = nameOf(asked);
    this.manager.send(name, { type });
    return this.list(name);
  }

  /** What is registered already, by whomever, stays as it is. */
  private async register(asked: InterfaceRequest): Promise<object> {
    const name = nameOf(asked);
    if (!this.manager.registrations.has(name)) {
      await this.commit({ key: registrationKey(name), value: { interface: name } });
    }
    return this.list(name);
  }

  private async unregister(asked: InterfaceRequest): Promise<object> {
    const name = nameOf(asked);
    const { registrations } = this.manager;
    if (registrations.valueOf(name) !== undefined) await this.commit({ key: registrationKey(name), delete: true });
    if (!registrations.has(name)) return this.list(name);
    const by = registrations.valueOf(name) === undefined ? "a pattern in ifmgr.interfaces" : "another source";
    throw new InvalidInputError("STILL_REGISTERED", `${name} is still registered: ${by} says so`, {
      key: registrationKey(name),
    });
  }

  private async commit(change: Change): Promise<void> {
    const { outcome, error } = await this.northbound.commit({ changes: [change] }, this.name);
    if (outcome !== "APPLIED" && outcome !== "PARTIAL") {
      throw new InvalidInputError("NOT_REGISTERED", error, { key: change.key });
    }
  }

  private list(name?: string): object {
    return { interfaces: this.manager.statuses(name) };
  }
}

function request(handle: Handler): GroupRequest {
  return { message: "tenuto.ifmgr.InterfaceRequest", reply: "tenuto.ifmgr.InterfaceList", handle };
}

function nameOf({ interface: name = "" }: InterfaceRequest): string {
  if (isHostName(name)) return name;
  throw new InvalidInputError("BAD_INTERFACE", `interface is "${name}", expected the host name of an interface`, {
    field: "interface",
  });
}
