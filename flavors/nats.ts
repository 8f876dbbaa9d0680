import { flavor } from "#core/flavor/index.js";
import { NatsPlugin } from "#plugins/nats/index.js";
import { base } from "./base.js";

/** Configuration from NATS, state to NATS. */
export const nats = flavor("nats", [base, NatsPlugin]);
