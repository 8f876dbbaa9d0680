import type { Benchmark } from "./benchmark.js";
import { eventToSubscriber } from "./event-to-subscriber.js";
import { fileRoutes } from "./file-routes.js";
import { fleet } from "./fleet.js";
import { kafkaRoutes } from "./kafka-routes.js";
import { linkBursts } from "./link-bursts.js";
import { liveness } from "./liveness.js";
import { netlinkEvent } from "./netlink-event.js";
import { netlinkRoutes } from "./netlink-routes.js";
import { resync } from "./resync.js";
import { routeChange } from "./route-change.js";
import { routeTransaction } from "./route-transaction.js";
import { scaling } from "./scaling.js";
import { schedulerChange, schedulerLoad, schedulerResync } from "./scheduler.js";
import { start } from "./start.js";
import { vethPairs } from "./veth-pairs.js";

/** In the order in which they are run. */
export const benchmarks: readonly Benchmark[] = [
  routeTransaction,
  routeChange,
  vethPairs,
  eventToSubscriber,
  resync,
  start,
  linkBursts,
  fileRoutes,
  kafkaRoutes,
  liveness,
  fleet,
  scaling,
  netlinkRoutes,
  netlinkEvent,
  schedulerLoad,
  schedulerChange,
  schedulerResync,
];
