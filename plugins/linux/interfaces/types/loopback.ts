import { SouthboundError } from "#core/errors.js";
import type { InvalidField } from "#core/scheduler/api/scheduler.js";
import type { LinkType } from "../link-type.js";

const HOST_NAME = "lo";

/** The loopback link, which every namespace has from the start. It is configured, never made or removed. */
export const loopback: LinkType = {
  type: "LOOPBACK",
  outsideVrfs: true,

  defaultHostName: () => HOST_NAME,

  validate: ({ host_if_name: hostName }): readonly InvalidField[] =>
    !hostName || hostName === HOST_NAME
      ? []
      : [{ field: "host_if_name", problem: `is "${hostName}", but the loopback of a namespace is always called lo` }],

  async create(_value, { handle }) {
    const link = await handle.linkByName(HOST_NAME);
    if (link === undefined) throw new SouthboundError("ENODEV", "the namespace has no loopback link");
    return link;
  },
};
