import test from "ava";
import fc from "fast-check";
import { type Configurations, newMachine } from "#plugins/ifmgr/machine.js";
import { ManagedInterface, type WorkOutcome } from "#plugins/ifmgr/managed-interface.js";

/**
 * Random stories about one interface: it comes and goes, sources change their minds, work is slow and fails. The model is
 * what a person would say: where the interface is now, and what was desired for it last.
 */

const numbers: Configurations<number> = { empty: 0, equal: (a, b) => a === b };

type Told =
  | { readonly do: "apply"; readonly value: number }
  | { readonly do: "reset" | "plug" | "unplug" | "kill" }
  /** The work under way ends: well, or before or after it has reached the kernel. */
  | { readonly do: "end"; readonly how: "well" | "failed before" | "failed after" }
  /** The pause before failed work is tried again ends. */
  | { readonly do: "time passes" };

const told: fc.Arbitrary<Told> = fc.oneof(
  { weight: 3, arbitrary: fc.record({ do: fc.constant("apply" as const), value: fc.integer({ min: 1, max: 4 }) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("reset" as const) }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constantFrom("plug" as const, "unplug" as const) }) },
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant("end" as const),
      how: fc.constantFrom("well" as const, "well" as const, "failed before" as const, "failed after" as const),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("time passes" as const) }) },
);

interface Work {
  readonly target: number;
  readonly end: (outcome: WorkOutcome<number>) => void;
}

/** A kernel that takes its time, and the interface above it. */
class Story {
  kernel = 0;
  work: Work | undefined;
  mostAtOnce = 0;
  private atOnce = 0;
  private readonly pauses = new Set<() => void>();
  readonly subject: ManagedInterface<number>;
  /** The model. */
  desired = 0;
  plugged = false;
  killed = false;

  constructor() {
    this.subject = new ManagedInterface(newMachine(numbers), {
      configurations: numbers,
      works: { apply: (candidate) => this.begin(candidate), remove: () => this.begin(0) },
      pause: (_failures, signal) => this.pause(signal),
      moved: () => undefined,
    });
  }

  /** Lets everything run that need not wait. */
  async settle(): Promise<void> {
    for (let turn = 0; turn < 10; turn++) await Promise.resolve();
  }

  async tell(event: Told): Promise<void> {
    switch (event.do) {
      case "apply":
        this.desired = event.value;
        this.subject.send({ type: "apply", candidate: event.value });
        break;
      case "end":
        this.end(event.how);
        break;
      case "time passes":
        for (const resolve of this.pauses) resolve();
        break;
      default:
        if (event.do === "reset") this.desired = 0;
        else if (event.do === "kill") this.killed = true;
        else this.plugged = event.do === "plug";
        this.subject.send({ type: event.do });
    }
    await this.settle();
  }

  /** Nothing fails any more and everything ends. */
  async calm(): Promise<void> {
    for (let turn = 0; turn < 20; turn++) {
      await this.tell({ do: "time passes" });
      await this.tell({ do: "end", how: "well" });
    }
  }

  private begin(target: number): Promise<WorkOutcome<number>> {
    this.atOnce += 1;
    this.mostAtOnce = Math.max(this.mostAtOnce, this.atOnce);
    return new Promise((resolve) => {
      this.work = {
        target,
        end: (outcome) => {
          this.atOnce -= 1;
          this.work = undefined;
          resolve(outcome);
        },
      };
    });
  }

  private end(how: "well" | "failed before" | "failed after"): void {
    const { work } = this;
    if (work === undefined) return;
    if (how !== "failed before") this.kernel = work.target;
    work.end({ running: this.kernel, error: how === "well" ? "" : how });
  }

  private async pause(signal: AbortSignal): Promise<void> {
    await new Promise<void>((resolve) => {
      this.pauses.add(resolve);
      signal.addEventListener("abort", () => resolve(), { once: true });
      if (signal.aborted) resolve();
    });
    this.pauses.clear();
  }
}

const RUNS = { numRuns: 3_000 };

test("never two pieces of work at once, and when nothing is under way what runs is what the kernel has", async (t) => {
  await fc.assert(
    fc.asyncProperty(fc.array(told, { maxLength: 40 }), async (events) => {
      const story = new Story();
      for (const event of events) {
        await story.tell(event);
        const { job, state, running } = story.subject.machine;
        if (job === undefined && running !== story.kernel) return false;
        if (job === undefined && state !== "PLUGGED" && state !== "UNPLUGGED") return false;
      }
      return story.mostAtOnce <= 1;
    }),
    RUNS,
  );
  t.pass();
});

test("whatever happened, it comes to what the last events ask for", async (t) => {
  await fc.assert(
    fc.asyncProperty(fc.array(told, { maxLength: 40 }), async (events) => {
      const story = new Story();
      for (const event of events) await story.tell(event);
      await story.calm();
      const { state, candidate, running } = story.subject.machine;
      const expected = story.plugged ? story.desired : 0;
      return (
        state === (story.plugged ? "PLUGGED" : "UNPLUGGED") &&
        candidate === story.desired &&
        running === expected &&
        story.kernel === expected
      );
    }),
    RUNS,
  );
  t.pass();
});

test("a machine that is killed ends, does nothing more, and leaves the kernel as it is", async (t) => {
  await fc.assert(
    fc.asyncProperty(fc.array(told, { maxLength: 20 }), fc.array(told, { maxLength: 20 }), async (before, after) => {
      const story = new Story();
      for (const event of before) await story.tell(event);
      await story.tell({ do: "kill" });
      await story.tell({ do: "end", how: "well" });
      await story.tell({ do: "time passes" });
      const left = story.kernel;
      for (const event of after) await story.tell(event);
      return story.subject.machine.state === "SHUTDOWN" && story.work === undefined && story.kernel === left;
    }),
    RUNS,
  );
  t.pass();
});

test("what comes during work is done in one more piece of work", async (t) => {
  const story = new Story();
  await story.tell({ do: "apply", value: 1 });
  await story.tell({ do: "plug" });
  for (const value of [2, 3, 4]) await story.tell({ do: "apply", value });
  await story.tell({ do: "end", how: "well" });
  t.is(story.work?.target, 4);
  await story.tell({ do: "end", how: "well" });
  t.is(story.work, undefined);
  t.like(story.subject.machine, { state: "PLUGGED", running: 4 });
});

/** A story in the pause after an application that failed. */
async function pausing(): Promise<Story> {
  const story = new Story();
  await story.tell({ do: "apply", value: 1 });
  await story.tell({ do: "plug" });
  await story.tell({ do: "end", how: "failed before" });
  return story;
}

test("the pause before another try ends when something else is desired, and that is done at once", async (t) => {
  const waiting = await pausing();
  t.is(waiting.work, undefined);
  t.true(waiting.subject.isFailing);

  await waiting.tell({ do: "apply", value: 2 });
  t.is(waiting.work?.target, 2);

  const unplugged = await pausing();
  await unplugged.tell({ do: "unplug" });
  t.is(unplugged.work?.target, 0);

  const killed = await pausing();
  await killed.tell({ do: "kill" });
  t.is(killed.work, undefined);
  t.is(killed.subject.machine.state, "SHUTDOWN");
});
