import { token } from "../../plugin/token.js";
import type { Scheduler as SchedulerInterface } from "./scheduler.js";

export type Scheduler = SchedulerInterface;
export const Scheduler = token<SchedulerInterface>("Scheduler");
