import { flavor } from "#core/flavor/index.js";
import { HttpPlugin } from "#plugins/http/index.js";
import { InterfaceStatePlugin } from "#plugins/interface-state/index.js";
import { InterfaceWatcherPlugin } from "#plugins/interface-watcher/index.js";
import { linux } from "#plugins/linux/index.js";
import { NetlinkPlugin } from "#plugins/netlink/index.js";
import { OrchestratorPlugin } from "#plugins/orchestrator/index.js";
import { StorePlugin } from "#plugins/store/index.js";

/** What every flavor has, in this order. Without a bus: the local socket alone brings transactions in. */
export const base = flavor("base", [
  NetlinkPlugin,
  StorePlugin,
  OrchestratorPlugin,
  linux,
  InterfaceWatcherPlugin,
  InterfaceStatePlugin,
  HttpPlugin,
]);
