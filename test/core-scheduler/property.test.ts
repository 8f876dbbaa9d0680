import test from "ava";
import fc from "fast-check";
import type { Dependency, ValueStatusRecord } from "#core/scheduler/api/scheduler.js";
import { createScheduler } from "#core/scheduler/index.js";
import { FakeClock } from "./fake-clock.js";
import { expectedSouthbound } from "./reference-model.js";
import { dependenciesOf, Southbound, sameThing, type Thing } from "./southbound.js";

/**
 * The suite plays the same stories every time, so that it says something about a change and not about luck. Others, and more:
 * `TENUTO_PROPERTY_SEED=$RANDOM TENUTO_PROPERTY_RUNS=1000000 npx ava dist/test/core-scheduler/property.test.js`.
 */
const RUNS = Number(process.env.TENUTO_PROPERTY_RUNS ?? 10_000);
const SEED = Number(process.env.TENUTO_PROPERTY_SEED ?? 1);

const KEYS = ["a/1", "a/2", "a/3", "b/1", "b/2", "b/3", "b/4"];
const OBTAINED = ["o/1", "o/2"];
/** Keys that somebody else may set as well, and that northbound may then take over. */
const CONTESTED = ["a/4", "b/5"];
const ALL = [...KEYS, ...OBTAINED, ...CONTESTED];

const part: fc.Arbitrary<Thing> = fc.record(
  {
    needs: fc.uniqueArray(fc.constantFrom(...ALL), { maxLength: 1 }),
    size: fc.nat(1),
    shape: fc.nat(1),
  },
  { requiredKeys: [] },
);

const thing: fc.Arbitrary<Thing> = fc.record(
  {
    needs: fc.uniqueArray(fc.constantFrom(...ALL, "a/1#p", "b/1#q", "a/4#p"), { maxLength: 2 }),
    needsAny: fc.uniqueArray(fc.constantFrom("a/", "b/", "o/", "a/1#"), { maxLength: 1 }),
    parts: fc.dictionary(fc.constantFrom("p", "q"), part, { maxKeys: 2 }),
    size: fc.nat(2),
    shape: fc.nat(1),
    claim: fc.constantFrom("x", "y"),
    bad: fc.constantFrom(false, false, false, true),
  },
  { requiredKeys: [] },
);

type Step =
  | {
      readonly do: "commit" | "atomic" | "simulate" | "full-resync";
      readonly changes: readonly (readonly [string, Thing | undefined])[];
    }
  | { readonly do: "notify"; readonly key: string; readonly there: boolean }
  | {
      readonly do: "fault";
      readonly operation: "create" | "update" | "delete";
      readonly key: string;
      readonly halfDone: boolean;
    }
  | { readonly do: "vanish"; readonly key: string }
  | {
      readonly do: "foreign";
      readonly key: string;
      readonly size: number;
      readonly parts: readonly string[];
      readonly there: boolean;
    }
  | { readonly do: "resync" | "time" };

// Never what somebody else puts there: who owns a value that both mean cannot be told from the calls.
const ownSize = fc.integer({ min: 3, max: 5 });
const needsObtained = fc.uniqueArray(fc.constantFrom(...OBTAINED), { maxLength: 1 });
const needsContested = fc.uniqueArray(fc.constantFrom(...OBTAINED, ...KEYS, ...CONTESTED), { maxLength: 1 });
const contested: fc.Arbitrary<Thing> = fc.record(
  {
    needs: needsContested,
    needsAny: fc.constantFrom<readonly string[]>(["o/"], ["b/"], []),
    parts: fc.dictionary(fc.constantFrom("p", "q"), fc.record({ needs: needsObtained, size: fc.nat(1) }), {
      maxKeys: 2,
    }),
    size: ownSize,
    shape: fc.nat(1),
  },
  { requiredKeys: ["size"] },
);

const change = fc.oneof(
  { weight: 7, arbitrary: fc.tuple(fc.constantFrom(...KEYS), fc.option(thing, { nil: undefined, freq: 4 })) },
  { weight: 1, arbitrary: fc.tuple(fc.constantFrom(...CONTESTED), fc.option(contested, { nil: undefined, freq: 4 })) },
);
const changes = fc.array(change, { minLength: 1, maxLength: 6 });

const notice = fc.record({
  do: fc.constant("notify" as const),
  key: fc.constantFrom(...OBTAINED),
  there: fc.boolean(),
});
const vanishing = fc.record({ do: fc.constant("vanish" as const), key: fc.constantFrom(...KEYS) });
const foreign = fc.record({
  do: fc.constant("foreign" as const),
  key: fc.constantFrom(...CONTESTED),
  size: fc.nat(2),
  parts: fc.subarray(["p", "q"]),
  there: fc.constantFrom(true, true, false),
});
const passing = fc.record({ do: fc.constantFrom("resync" as const, "time" as const) });
const fault = fc.record({
  do: fc.constant("fault" as const),
  operation: fc.constantFrom("create" as const, "update" as const, "delete" as const),
  key: fc.constantFrom(...KEYS, "a/1#p", "b/1#q", "b/2#p"),
  halfDone: fc.boolean(),
});

function step(faulty: boolean): fc.Arbitrary<Step> {
  return fc.oneof(
    {
      weight: 5,
      arbitrary: fc.record({ do: fc.constantFrom("commit" as const, "atomic" as const), changes }),
    },
    {
      weight: 1,
      arbitrary: fc.record({
        do: fc.constantFrom("simulate" as const, "full-resync" as const),
        changes,
      }),
    },
    { weight: 2, arbitrary: notice },
    { weight: 1, arbitrary: vanishing },
    { weight: 1, arbitrary: foreign },
    { weight: 1, arbitrary: passing },
    ...(faulty ? [{ weight: 2, arbitrary: fault }] : []),
  );
}

const claim =
  "what is desired and possible is in the southbound, nothing else of ours is, and nothing was ever without its needs";

// With faults, values can be left that keep each other alive through `anyOf`. No order of taking those apart is without a moment in
// which one of them has lost the other, so that the second property looks at all other values only; they must go all the same.
for (const faulty of [false, true]) {
  const name = faulty ? "operations fail" : "nothing fails";
  test(`after any story in which ${name}, ${claim}`, async (t) => {
    t.timeout(600_000);
    const stories = fc.array(step(faulty), { minLength: 1, maxLength: 12 });
    const property = fc.asyncProperty(stories, fc.nat(1_000_000), async (steps, seed) => {
      const story = new Story(seed, faulty);
      for (const each of steps) {
        await story.play(each);
        // Without faults nothing is left for later.
        if (!faulty) await story.check();
      }
      await story.settle();
      await story.check();
    });
    const result = await fc.check(property, { numRuns: RUNS, seed: SEED });
    if (result.failed) t.fail(describeFailure(result.counterexample, result.errorInstance));
    else t.is(result.numRuns, RUNS);
  });
}

/** The same list for all values with the same dependencies. */
function sharedDependencies(): (key: string, value: Thing) => readonly Dependency[] {
  const lists = new Map<string, readonly Dependency[]>();
  return (_key, value) => {
    const own = dependenciesOf(value);
    const name = JSON.stringify(own);
    lists.set(name, lists.get(name) ?? own);
    return lists.get(name) ?? own;
  };
}

/** The smallest story that fails, a step a line. */
function describeFailure(counterexample: [readonly Step[], number] | null, error: unknown): string {
  const [steps, seed] = counterexample ?? [[], 0];
  return [
    `pace ${seed}`,
    ...steps.map((each) => JSON.stringify(each)),
    error instanceof Error ? (error.stack ?? "") : String(error),
  ].join("\n");
}

class Story {
  private readonly clock = new FakeClock();
  private readonly random: () => number;
  private readonly below: Southbound;
  private readonly scheduler = createScheduler({ clock: this.clock, concurrency: 3 });
  private readonly desired = new Map<string, Thing>();
  private readonly obtained = new Set<string>();

  constructor(seed: number, faulty: boolean) {
    this.random = pseudoRandom(seed);
    const pace = async (): Promise<void> => {
      for (let turns = Math.floor(this.random() * 4); turns > 0; turns--) await Promise.resolve();
    };
    this.below = new Southbound(pace, faulty ? "excused" : "checked");
    const equivalent = (_key: string, a: Thing, b: Thing): boolean => sameThing(a, b);
    // Half of the stories have what large systems have: many values in one call, lists of dependencies that values share, and reads
    // that answer with what was expected.
    const isLarge = seed % 2 === 0;
    for (const prefix of ["a/", "b/"]) {
      const large = { ...this.below.together(), ...this.below.recalling(prefix), dependencies: sharedDependencies() };
      this.scheduler.registerDescriptor(
        this.below.descriptor(prefix, {
          ...(isLarge ? large : {}),
          ...(prefix === "a/" ? { equivalent, concurrency: "serial" } : { equivalent }),
        }),
      );
    }
    this.scheduler.registerDescriptor({ name: "obtained", prefix: "o/" });
  }

  async play(step: Step): Promise<void> {
    switch (step.do) {
      case "notify":
        return this.notify(step.key, step.there);
      case "fault":
        this.below.faults.set(`${step.operation} ${step.key}`, 1);
        if (step.halfDone) this.below.halfDone.add(`${step.operation} ${step.key}`);
        return;
      case "vanish":
        return this.vanish(step.key);
      case "foreign":
        return step.there ? this.putForeign(step.key, foreignThing(step)) : this.takeForeign(step.key);
      case "time":
        return this.passTime();
      case "resync":
        await this.scheduler.resyncDownstream();
        return;
      default:
        return this.commit(step.do, new Map(step.changes));
    }
  }

  private async commit(
    how: "commit" | "atomic" | "simulate" | "full-resync",
    changes: Map<string, Thing | undefined>,
  ): Promise<void> {
    if (how === "simulate") await this.quiet();
    const calls = this.below.calls.length;
    const record = await this.scheduler.commit({
      changes,
      atomic: how === "atomic",
      simulate: how === "simulate",
      ...(how === "full-resync" ? { kind: how } : {}),
    });
    if (how === "simulate") {
      if (this.below.calls.length !== calls) throw new Error("a simulation called a descriptor");
      return;
    }
    const refused = how === "atomic" && (record.reverted || record.values.some(({ state }) => state === "INVALID"));
    if (refused) return;
    if (how === "full-resync")
      for (const key of [...this.desired.keys()]) if (!changes.has(key)) this.desired.delete(key);
    for (const [key, value] of changes) {
      // An invalid value changes nothing: what was desired before stays desired.
      if (value?.bad === true) continue;
      if (value === undefined) this.desired.delete(key);
      else this.desired.set(key, value);
    }
  }

  /** Two minutes, slowly enough that no operation overruns its deadline: late answers have a test of their own. */
  private async passTime(): Promise<void> {
    for (let i = 0; i < 12; i++) {
      this.clock.advance(10_000);
      await this.quiet();
    }
  }

  /** Waits until nothing is queued and no call is under way. */
  private async quiet(): Promise<void> {
    for (let calls = -1; calls !== this.below.calls.length || this.below.running > 0; ) {
      calls = this.below.calls.length;
      await this.scheduler.commit({ changes: [] });
    }
  }

  private async notify(key: string, there: boolean): Promise<void> {
    if (there) this.obtained.add(key);
    else this.obtained.delete(key);
    if (there) this.below.values.set(key, {});
    // What needs it is still there for a moment: that is not the scheduler's doing.
    this.below.foreign.add(key);
    this.scheduler.notify([{ key, value: there ? {} : undefined }]);
    await this.scheduler.commit({ changes: [] });
  }

  /** Somebody else puts a value there: a new one, or in place of ours. */
  private async putForeign(key: string, value: Thing): Promise<void> {
    await this.takeForeign(key);
    const replaces = this.below.values.has(key) && !this.below.foreign.has(key);
    this.below.putForeign(key, value);
    this.below.removeOrphans();
    if (replaces) {
      await this.scheduler.refresh([key]);
      this.clock.advance(60_000);
    } else this.scheduler.notify([{ key, value, metadata: value.size }]);
    await this.quiet();
  }

  private async takeForeign(key: string): Promise<void> {
    if (!this.below.foreign.has(key)) return;
    this.scheduler.notify([{ key, value: undefined }]);
    await this.quiet();
    if (!this.below.foreign.has(key)) return;
    this.below.takeForeign(key);
  }

  /** Somebody else removes a value of ours. Like a kernel, that takes along what cannot be without it; only the value is told of. */
  private async vanish(key: string): Promise<void> {
    if (this.below.foreign.has(key)) return;
    this.below.values.delete(key);
    this.below.removeOrphans();
    await this.scheduler.refresh([key]);
    // The repair waits when the same value has vanished before.
    this.clock.advance(60_000);
    await this.quiet();
  }

  /** No more faults, and every retry run. */
  async settle(): Promise<void> {
    this.below.faults.clear();
    await this.scheduler.resyncDownstream();
    for (let i = 0; i < 20 && this.clock.pending > 0; i++) await this.passTime();
    const again = await this.scheduler.resyncDownstream();
    if (again.planned.length > 0)
      throw new Error(`a resync of a settled system planned ${JSON.stringify(again.planned)}`);
  }

  async check(): Promise<void> {
    for (const key of OBTAINED) if (!this.obtained.has(key)) this.below.values.delete(key);
    const foreign = [...this.below.foreign].filter((key) => CONTESTED.some((each) => isUnder(key, each)));
    const there = new Set([...this.obtained, ...foreign]);
    const own = new Map([...this.desired].filter(([key]) => !there.has(key)));
    for (const key of CONTESTED.filter((each) => there.has(each))) {
      const value = this.desired.get(key);
      if (value === undefined || ![...(value.needs ?? []), ...(value.needsAny ?? [])].every(isObtained)) continue;
      if (expectedSouthbound(new Map([[key, value]]), this.obtained).has(key))
        throw new Error(`${key} was not taken over`);
    }
    const expected = expectedSouthbound(own, there);
    const found = new Map([...this.below.values].filter(([key]) => !OBTAINED.includes(key) && !foreign.includes(key)));
    const keys = [...found.keys()].sort().join(" ");
    const desired = [...expected.keys()].sort().join(" ");
    if (keys !== desired) throw new Error(`below are [${keys}], expected [${desired}]`);
    for (const [key, value] of expected) {
      if (!sameThing(value, found.get(key) ?? {})) throw new Error(`${key} is ${JSON.stringify(found.get(key))}`);
    }
    await this.checkTimeline();
    if (this.below.violations.length > 0) throw new Error(this.below.violations.join("\n"));
  }

  /** What the timeline thinks is so now must be what is. */
  private async checkTimeline(): Promise<void> {
    const { values } = await this.scheduler.snapshot();
    const recorded = values.map(({ key, state, details }) => `${key} ${state} ${details.join()}`);
    const now = this.scheduler.statuses().flatMap(lines);
    const [a, b] = [recorded.sort().join("\n"), now.sort().join("\n")];
    if (a !== b) throw new Error(`the timeline says\n${a}\nbut it is\n${b}`);
  }
}

function foreignThing({ size, parts }: { readonly size: number; readonly parts: readonly string[] }): Thing {
  return { size, parts: Object.fromEntries(parts.map((name) => [name, { size }])) };
}

/** What needs these alone is taken over; else it may be that what was built upon it is what it needs. */
function isObtained(need: string): boolean {
  return need.startsWith("o/");
}

/** Is it the key of a value or of one of its parts? */
function isUnder(key: string, base: string): boolean {
  return key === base || key.startsWith(`${base}#`);
}

/** A status and those of its derived values, as `KEY STATE DETAILS`. */
function lines({ key, state, details, derived }: ValueStatusRecord): string[] {
  return [`${key} ${state} ${details.join()}`, ...derived.flatMap(lines)];
}

/** Mulberry32: small, and the same everywhere. */
function pseudoRandom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}
