import { flavor } from "#core/flavor/index.js";
import { FilePlugin } from "#plugins/file/index.js";
import { MemoryPlugin } from "#plugins/memory/index.js";
import { base } from "./base.js";

/** No bus: transactions from this process and the local socket, desired state from files. */
export const embedded = flavor("embedded", [base, MemoryPlugin, FilePlugin]);
