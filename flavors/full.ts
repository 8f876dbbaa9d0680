import { flavor } from "#core/flavor/index.js";
import { FilePlugin } from "#plugins/file/index.js";
import { IfmgrPlugin } from "#plugins/ifmgr/index.js";
import { KafkaPlugin } from "#plugins/kafka/index.js";
import { NatsPlugin } from "#plugins/nats/index.js";
import { base } from "./base.js";

/** Everything: both buses, files, and configuration at plug time. */
export const full = flavor("full", [base, NatsPlugin, KafkaPlugin, FilePlugin, IfmgrPlugin]);
