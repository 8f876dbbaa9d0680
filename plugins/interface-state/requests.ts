import { InvalidInputError } from "#core/errors.js";
import type { GroupRequest, RequestGroup } from "#core/northbound/index.js";
import type { RepublishRequest } from "#proto/index.js";

/** What a subscriber may ask for. */
export class InterfaceRequests implements RequestGroup {
  readonly name = "interfaces";
  readonly requests: Readonly<Record<string, GroupRequest>>;

  /** @param republish publishes the state of one interface, or of all, and returns of how many. */
  constructor(republish: (name: string | undefined) => number) {
    this.requests = {
      republish: {
        message: "tenuto.v1.RepublishRequest",
        reply: "tenuto.v1.Republished",
        handle: (argument) => {
          const { interface: name } = argument as Partial<RepublishRequest>;
          const interfaces = republish(name || undefined);
          if (name && interfaces === 0) {
            throw new InvalidInputError("UNKNOWN_INTERFACE", `there is no state of an interface ${name}`, {
              field: "interface",
            });
          }
          return { interfaces };
        },
      },
    };
  }
}
