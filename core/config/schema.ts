import { z } from "zod";
import { type Flavor, flavorSelection } from "../flavor/index.js";
import { sectionsOf } from "./configuration.js";

/** JSON schema (2020-12) of a configuration file for a flavor. */
export function configurationSchema(flavor: Flavor): object {
  const sections = [...sectionsOf(flavor)].map(([name, schema]) => [name, schema.optional()] as const);
  const file = z.strictObject({
    label: z.string().optional().describe("Name of the agent. Default: the host name."),
    flavor: flavorSelection.optional().describe("The flavor's name, or a flavor composed of plugins."),
    ...Object.fromEntries(sections),
  });
  return z.toJSONSchema(file, { io: "input", unrepresentable: "any" });
}
