import { flavor } from "#core/flavor/index.js";
import { IfmgrPlugin } from "#plugins/ifmgr/index.js";
import { nats } from "./nats.js";

/** NATS, and configuration at plug time for registered interfaces. */
export const ifmgr = flavor("ifmgr", [nats, IfmgrPlugin]);
