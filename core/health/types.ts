import { token } from "../plugin/token.js";

/** `degraded`: works with less (a bus is away). `failed`: does not do its job. `starting` until `afterInit` returned. */
export type HealthState = "starting" | "ok" | "degraded" | "failed" | "closed";

export interface PluginHealth {
  readonly plugin: string;
  readonly state: HealthState;
  /** Why, in a sentence; empty when `ok`. */
  readonly reason: string;
  /** RFC 3339. */
  readonly since: string;
}

/** How a plugin says how it is. Injected per plugin. */
export interface HealthReporter {
  ok(): void;
  degraded(reason: string): void;
  failed(reason: string): void;
}

/**
 * What every plugin says of itself. Live: the process answers and no plugin has `failed`. Ready: live, and every plugin is past
 * `starting` (a degraded bus does not make an agent unready).
 */
export interface Health {
  readonly live: boolean;
  readonly ready: boolean;
  /** The worst state of any plugin. */
  readonly state: HealthState;
  plugins(): readonly PluginHealth[];
  watch(listener: (changed: PluginHealth) => void): () => void;
}

export const Health = token<Health>("Health");
export const PluginHealthReporter = token<HealthReporter>("PluginHealthReporter");
export type PluginHealthReporter = HealthReporter;
