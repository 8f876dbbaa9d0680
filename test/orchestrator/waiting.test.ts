/**
 * Transactions that wait for their confirmation, among requests, REPLACEs, and a source that changes, loses and finds values again: what is
 * southbound is what a model of a few lines says, after every step and after a restart.
 */
import assert from "node:assert/strict";
import test, { type ExecutionContext } from "ava";
import fc from "fast-check";
import type { SourceItem } from "#core/northbound/index.js";
import {
  item,
  key,
  remove,
  ScriptedSource,
  set,
  startAgent,
  type TestAgent,
  temporaryDirectory,
} from "./support/agents.js";
import { Southbound } from "./support/southbound.js";

const NAMES = ["eth1", "eth2", "eth3"] as const;
/** MTUs by name; `undefined` deletes. */
type Said = ReadonlyMap<string, number | undefined>;

interface Speech {
  readonly kind: "change" | "complete" | "continuous" | "lossy";
  readonly said: Said;
}

type Step =
  | { readonly kind: "commit"; readonly said: Said; readonly replace: boolean; readonly waits: boolean }
  | { readonly kind: "confirm" | "cancel" | "restart" }
  | Speech;

interface Waiting {
  readonly id: string;
  readonly undo: Said;
  /** Orphaned values of the source that gave way. */
  readonly yielded: Set<string>;
}

/** What requests and a source want, and what the source has lost. */
class Model {
  readonly requests = new Map<string, number>();
  readonly source = new Map<string, number>();
  readonly orphans = new Set<string>();
  waiting: Waiting[] = [];

  /** Is it refused? */
  commit(id: string, { said, replace, waits }: Step & { kind: "commit" }): boolean {
    const changes = new Map(said);
    const held = new Set(this.waiting.flatMap(({ undo }) => [...undo.keys()]));
    if (replace)
      for (const name of [...this.requests.keys(), ...held]) if (!changes.has(name)) changes.set(name, undefined);
    if ([...changes.keys()].some((name) => held.has(name))) return true;
    const undo = new Map([...changes.keys()].map((name) => [name, this.requests.get(name)]));
    const yielded = new Set([...said.keys()].filter((name) => this.orphans.has(name)));
    this.apply(this.requests, changes);
    if (waits) this.waiting.push({ id, undo, yielded });
    else this.giveUp(yielded);
    return false;
  }

  decide(isConfirmed: boolean): string | undefined {
    const decided = this.waiting.shift();
    if (decided === undefined) return undefined;
    if (isConfirmed) this.giveUp(decided.yielded);
    else this.apply(this.requests, decided.undo);
    return decided.id;
  }

  speak({ kind, said }: Speech): void {
    const absent = kind === "change" ? [] : [...this.source.keys()].filter((name) => !said.has(name));
    for (const name of absent) {
      if (kind === "lossy") this.orphans.add(name);
      else if (kind === "complete" || !this.orphans.has(name)) this.take(name, undefined);
    }
    for (const [name, mtu] of said) this.take(name, mtu);
  }

  get southbound(): Readonly<Record<string, number>> {
    const hidden = new Set(this.waiting.flatMap(({ yielded }) => [...yielded]));
    const visible = [...this.source].filter(([name]) => !hidden.has(name));
    return Object.fromEntries([...new Map([...visible, ...this.requests])].sort());
  }

  private take(name: string, mtu: number | undefined): void {
    this.apply(this.source, new Map([[name, mtu]]));
    this.orphans.delete(name);
    for (const { yielded } of this.waiting) yielded.delete(name);
  }

  private giveUp(names: Iterable<string>): void {
    for (const name of names) this.take(name, undefined);
  }

  private apply(values: Map<string, number>, changes: Said): void {
    for (const [name, mtu] of changes) {
      if (mtu === undefined) values.delete(name);
      else values.set(name, mtu);
    }
  }
}

class Scene {
  private readonly southbound = new Southbound();
  private readonly model = new Model();
  private readonly store: string;
  private bus = new ScriptedSource("bus", 50);
  private running: TestAgent | undefined;
  private count = 0;

  constructor(private readonly t: ExecutionContext) {
    this.store = temporaryDirectory(t);
  }

  async run(steps: readonly Step[]): Promise<void> {
    await this.start();
    for (const step of [...steps, { kind: "restart" } as const]) {
      await this.take(step);
      assert.deepEqual(this.found(), this.model.southbound, step.kind);
    }
    await this.running?.agent.close();
  }

  private async take(step: Step): Promise<void> {
    if (step.kind === "commit") {
      const id = `t${this.count++}`;
      const changes = [...step.said].map(([name, mtu]) => (mtu === undefined ? remove(name) : set(name, { mtu })));
      const more = {
        ...(step.replace ? { mode: "REPLACE" as const } : {}),
        ...(step.waits ? { confirm_timeout: "1h" } : {}),
      };
      const { outcome } = await this.agent.commit({ id, changes, ...more });
      const isRefused = this.model.commit(id, step);
      assert.equal(outcome, isRefused ? "REJECTED" : step.waits ? "UNCONFIRMED" : "APPLIED");
    } else if (step.kind === "confirm" || step.kind === "cancel") {
      const id = this.model.decide(step.kind === "confirm");
      if (id !== undefined) await this.agent.northbound[step.kind](id);
    } else if (step.kind === "restart") {
      await this.running?.agent.close();
      while (this.model.decide(false) !== undefined);
      await this.start();
    } else if ("said" in step) {
      this.model.speak(step);
      await this.speak(step.kind, step.said);
    }
  }

  private async speak(kind: "change" | "complete" | "continuous" | "lossy", said: Said): Promise<void> {
    const items = [...said].map(
      ([name, mtu]): SourceItem => (mtu === undefined ? { key: key(name), value: undefined } : item(name, { mtu })),
    );
    const say = { change: "change", complete: "snapshot", continuous: "continuous", lossy: "lossy" } as const;
    await this.bus[say[kind]](...items);
  }

  private get agent(): TestAgent {
    if (this.running === undefined) throw new Error("no agent was started");
    return this.running;
  }

  private async start(): Promise<void> {
    this.bus = new ScriptedSource("bus", 50);
    this.running = await startAgent(this.t, { southbound: this.southbound, store: this.store, sources: [this.bus] });
  }

  private found(): Readonly<Record<string, number>> {
    const values = [...this.southbound.values.values()] as { name: string; mtu: number }[];
    return Object.fromEntries(values.map(({ name, mtu }) => [name, mtu] as const).sort());
  }
}

const mtu = fc.constantFrom(1400, 1500);
const name = fc.constantFrom(...NAMES);
const values = fc
  .uniqueArray(fc.tuple(name, mtu), { selector: ([each]) => each, maxLength: 2 })
  .map((all): Said => new Map(all));
const changes = fc
  .uniqueArray(fc.tuple(name, fc.option(mtu, { nil: undefined })), {
    selector: ([each]) => each,
    minLength: 1,
    maxLength: 2,
  })
  .map((all): Said => new Map(all));
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant("commit" as const),
      said: changes,
      replace: fc.constant(false),
      waits: fc.boolean(),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant("commit" as const),
      said: values,
      replace: fc.constant(true),
      waits: fc.boolean(),
    }),
  },
  { weight: 3, arbitrary: fc.record({ kind: fc.constantFrom("confirm" as const, "cancel" as const) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("restart" as const) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("change" as const), said: changes }) },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constantFrom("complete" as const, "continuous" as const, "lossy" as const),
      said: values,
    }),
  },
);

test("waiting transactions, REPLACEs and what a source loses do not get in each other's way", async (t) => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 4, maxLength: 14 }), (steps) => new Scene(t).run(steps)),
    { numRuns: 40 },
  );
  t.pass();
});
