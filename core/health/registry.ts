import type { Health, HealthReporter, HealthState, PluginHealth } from "./types.js";

/** From good to bad; the worst plugin is what the agent says of itself. */
const SEVERITY: readonly HealthState[] = ["ok", "closed", "starting", "degraded", "failed"];

/** Stands beside the plugins' names. */
const PROCESS = "process";

/** The health of one agent: what its plugins report, and what its life cycle adds. */
export class HealthRegistry implements Health {
  private readonly byPlugin = new Map<string, PluginHealth>();
  /** What plugins said last, also while they were starting. */
  private readonly reported = new Map<string, { readonly state: HealthState; readonly reason: string }>();
  private readonly listeners = new Set<(changed: PluginHealth) => void>();
  private readonly onListenerError: (error: unknown) => void;

  /** `onListenerError` hears of a listener that throws; the others are still called. */
  constructor(onListenerError: (error: unknown) => void) {
    this.onListenerError = onListenerError;
  }

  get live(): boolean {
    return this.plugins().every(({ state }) => state !== "failed");
  }

  get ready(): boolean {
    return this.byPlugin.size > 0 && this.plugins().every(({ state }) => state === "ok" || state === "degraded");
  }

  get state(): HealthState {
    const states = this.plugins().map(({ state }) => state);
    return SEVERITY.findLast((state) => states.includes(state)) ?? "starting";
  }

  plugins(): readonly PluginHealth[] {
    return [...this.byPlugin.values()];
  }

  watch(listener: (changed: PluginHealth) => void): () => void {
    // Wrapped, so that one function that watches twice is two watches.
    const watch = (changed: PluginHealth): void => listener(changed);
    this.listeners.add(watch);
    return () => void this.listeners.delete(watch);
  }

  /** A plugin is about to start. It may report while it starts; what it says then is seen once it has started. */
  reporter(plugin: string): HealthReporter {
    this.set(plugin, "starting", "is starting");
    return {
      ok: () => this.report(plugin, "ok", ""),
      degraded: (reason) => this.report(plugin, "degraded", reason),
      failed: (reason) => this.report(plugin, "failed", reason),
    };
  }

  /** The plugin has started: it is what it reported, `ok` when it said nothing. */
  started(plugin: string): void {
    const { state, reason } = this.reported.get(plugin) ?? { state: "ok", reason: "" };
    this.set(plugin, state, reason);
  }

  /** What concerns the whole process, beside its plugins: seen once there is something to say. */
  process(problem: string | undefined): void {
    if (problem !== undefined) this.set(PROCESS, "degraded", problem);
    else if (this.byPlugin.has(PROCESS)) this.set(PROCESS, "ok", "");
  }

  /** The life cycle failed. */
  failed(plugin: string, reason: string): void {
    this.set(plugin, "failed", reason);
  }

  closed(plugin: string): void {
    this.set(plugin, "closed", "is closed");
  }

  private report(plugin: string, state: HealthState, reason: string): void {
    this.reported.set(plugin, { state, reason });
    const current = this.byPlugin.get(plugin)?.state;
    if (current === "closed" || (current === "starting" && state !== "failed")) return;
    this.set(plugin, state, reason);
  }

  private set(plugin: string, state: HealthState, reason: string): void {
    const before = this.byPlugin.get(plugin);
    if (before?.state === state && before.reason === reason) return;
    const since = before?.state === state ? before.since : new Date().toISOString();
    const changed: PluginHealth = { plugin, state, reason, since };
    this.byPlugin.set(plugin, changed);
    for (const listener of [...this.listeners]) {
      try {
        listener(changed);
      } catch (error) {
        this.onListenerError(error);
      }
    }
  }
}
