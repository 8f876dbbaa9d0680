import { z } from "zod";
import { duration } from "#core/config/duration.js";

const HOOK_EVENTS = ["BEFORE_APPLY", "AFTER_APPLY", "BEFORE_UNAPPLY", "AFTER_UNAPPLY"] as const;

const pattern = z.string().min(1).describe("Host name of an interface; * stands for any characters, ? for one");

const hookConfig = z.strictObject({
  interface: pattern,
  event: z.enum(HOOK_EVENTS).describe("When to run"),
  command: z.string().startsWith("/").describe("Absolute path of the program; owned by root, not world-writable"),
  arguments: z.array(z.string()).default([]),
  environment: z.record(z.string(), z.string()).default({}).describe("Added to the program's environment"),
  timeout: duration.prefault("30s").describe("After this time it is stopped, and has failed"),
  on_failure: z
    .enum(["abort", "continue"])
    .default("continue")
    .describe(
      "abort: the work ends there and is tried again later; continue: the failure is reported, the work goes on",
    ),
});

export const ifmgrConfig = z.strictObject({
  interfaces: z.array(pattern).default([]).describe("Interfaces that are registered without anybody's asking"),
  hooks: z.array(hookConfig).default([]).describe("Programs to run when configuration is applied or removed"),
  hook_directory: z
    .string()
    .startsWith("/")
    .default("/etc/tenuto/hooks")
    .describe("The only place for programs that registrations name, which come over a bus"),
  retry_period: duration.prefault("1s").describe("Pause before failed work is tried again; doubles up to a minute"),
});
export type IfmgrConfig = z.infer<typeof ifmgrConfig>;
