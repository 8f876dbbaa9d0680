import { InvalidInputError } from "#core/errors.js";
import type { EventPublisher, GroupRequest, RequestGroup } from "#core/northbound/index.js";
import type { InterfaceNotification, InterfaceState, InterfaceStatesRequest, RepublishRequest } from "#proto/index.js";

/** The last states of interfaces that are there, of those that were published. */
function currentStates(events: EventPublisher): readonly InterfaceState[] {
  return events
    .currentInterfaces()
    .map(({ event }) => (event.data as InterfaceNotification).state)
    .filter((state) => state !== undefined)
    .filter(({ oper_status }) => oper_status !== "DELETED")
    .sort((a, b) => ((a.name ?? "") < (b.name ?? "") ? -1 : 1));
}

/** What a subscriber may ask for. */
export class InterfaceRequests implements RequestGroup {
  readonly name = "interfaces";
  readonly requests: Readonly<Record<string, GroupRequest>>;

  /** @param republish publishes the state of one interface, or of all, and returns of how many. */
  constructor(events: EventPublisher, republish: (name: string | undefined) => number) {
    this.requests = {
      get: {
        message: "tenuto.v1.InterfaceStatesRequest",
        reply: "tenuto.v1.InterfaceStates",
        safe: true,
        handle: (argument) => {
          const { interface: name } = argument as Partial<InterfaceStatesRequest>;
          const interfaces = currentStates(events).filter((state) => !name || state.name === name);
          if (name && interfaces.length === 0) throw unknownInterface(name);
          return { interfaces };
        },
      },
      republish: {
        message: "tenuto.v1.RepublishRequest",
        reply: "tenuto.v1.Republished",
        handle: (argument) => {
          const { interface: name } = argument as Partial<RepublishRequest>;
          const interfaces = republish(name || undefined);
          if (name && interfaces === 0) throw unknownInterface(name);
          return { interfaces };
        },
      },
    };
  }
}

function unknownInterface(name: string): InvalidInputError {
  return new InvalidInputError("UNKNOWN_INTERFACE", `there is no state of an interface ${name}`, {
    field: "interface",
  });
}
