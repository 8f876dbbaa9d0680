import { token } from "../plugin/token.js";

/** Facts about the running agent, for plugins that publish them. */
export interface AgentInfo {
  readonly label: string;
  readonly version: string;
  readonly flavor: string;
  /** Plugin names in flavor order. */
  readonly plugins: readonly string[];
  /** Unique for this start of the agent; prefix of event ids. */
  readonly instance: string;
  /** RFC 3339. */
  readonly startedAt: string;
  /** The whole configuration as it is in force, secrets masked. */
  readonly configuration: object;
}

export const AgentInfo = token<AgentInfo>("AgentInfo");
