import { z } from "zod";

/** A plugin to add: at the end, or at a place. */
const addition = z.union([
  z.string().min(1),
  z
    .strictObject({
      use: z.string().min(1).describe("Package, or path from the file."),
      before: z.string().optional(),
      after: z.string().optional(),
      replace: z.string().optional(),
    })
    .refine(
      ({ before, after, replace }) => [before, after, replace].filter((place) => place !== undefined).length < 2,
      {
        error: "expected one place: before, after or replace",
      },
    ),
]);

/** `flavor` in a configuration file: a name, or a composition on top of one. */
export const flavorSelection = z.union([
  z.string().min(1),
  z.strictObject({
    name: z.string().min(1).default("custom").describe("What the composed flavor is called."),
    extends: z.string().optional().describe("Name of the flavor to begin with; left out: begin with nothing."),
    without: z.array(z.string()).default([]).describe("Plugins or bundles to leave out."),
    plugins: z
      .array(addition)
      .default([])
      .describe("Packages, or paths from the file, of plugins to add; `before`, `after` or `replace` name a place."),
  }),
]);

export type PluginAddition = z.infer<typeof addition>;
export type FlavorSelection = z.infer<typeof flavorSelection>;
