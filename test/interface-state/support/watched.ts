import type { PluginClass } from "#core/plugin/index.js";
import type { InterfaceNotification, InterfaceState } from "#proto/index.js";
import { NetworkAgent, wantInterface } from "#test/linux/support/network.js";
import { Recorder } from "#test/linux/support/recorder.js";
import { run } from "#test/support/sandbox.js";

/** Of the agent here: notifications of one interface are at least this far apart. */
export const MIN_INTERVAL_MS = 100;

/** An agent, and what it publishes about interfaces. */
export class Watched {
  private constructor(
    readonly agent: NetworkAgent,
    private readonly recorder: Recorder,
  ) {}

  /** `configuration` is that of section `interface-state`. What others change stays: nothing here is about repair. */
  static async start(
    configuration: object = {},
    others: Readonly<Record<string, object>> = {},
    plugins: readonly PluginClass[] = [],
  ): Promise<Watched> {
    const recorder = new Recorder();
    const sections = {
      "linux-drift": { policy: "report" },
      "interface-state": { statistics_interval: "0s", min_interval: `${MIN_INTERVAL_MS}ms`, ...configuration },
      ...others,
    };
    return new Watched(await NetworkAgent.start("state", sections, [...plugins, recorder.plugin]), recorder);
  }

  /** Everything, in order. */
  all(): readonly InterfaceNotification[] {
    return this.recorder.of("interface").map(({ data }) => data);
  }

  /** Notifications about an interface, in order. */
  about(name: string): readonly InterfaceNotification[] {
    return this.all().filter(({ state }) => state?.name === name);
  }

  latest(name: string): InterfaceState | undefined {
    return this.about(name).at(-1)?.state;
  }

  isUp(name: string): boolean {
    return this.latest(name)?.oper_status === "UP";
  }

  /** `CREATED UP` for each notification, without counters. */
  story(name: string): readonly string[] {
    return this.about(name)
      .filter(({ type }) => type !== "STATISTICS")
      .map(({ type, state }) => `${type} ${state?.oper_status}`);
  }

  /** Leaves nothing behind. */
  async close(): Promise<void> {
    await this.agent.resync();
    await this.agent.close();
  }
}

/** A pair of the agent's, up at both ends. */
export function pair(near: string, far: string, settings: object = {}) {
  const end = (name: string, peer: string) => ({
    name,
    type: "VETH" as const,
    enabled: true,
    veth: { peer_if_name: peer },
  });
  return [wantInterface({ ...end(near, far), ...settings }), wantInterface(end(far, near))] as const;
}

/** Carries out commands of `ip` with one run of it, as fast as the kernel takes them. */
export async function ipBatch(lines: readonly string[]): Promise<void> {
  await run(["sh", "-c", `ip -batch - <<'END'\n${lines.join("\n")}\nEND`]);
}
