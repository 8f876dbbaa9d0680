import type { RequestGroup } from "#core/northbound/index.js";
import type { Scheduler } from "#core/scheduler/api/scheduler.js";
import { timeArgument } from "../query.js";
import { graphMessage } from "./message.js";

/** The graph for those who reach the agent over a bus. Here, since every flavor has this plugin. */
export class SchedulerRequests implements RequestGroup {
  readonly name = "scheduler";
  readonly requests: RequestGroup["requests"];

  constructor(scheduler: Scheduler) {
    this.requests = {
      graph: {
        message: "tenuto.v1.GraphRequest",
        reply: "tenuto.v1.Graph",
        safe: true,
        handle: async ({ time }: { readonly time?: string }) =>
          graphMessage(await scheduler.snapshot(timeArgument(time, "time"))),
      },
    };
  }
}
