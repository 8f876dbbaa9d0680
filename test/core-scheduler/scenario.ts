import { parse } from "yaml";
import type {
  DriftPolicy,
  RecordedOperation,
  TransactionSpec,
  ValueStatusRecord,
} from "#core/scheduler/api/scheduler.js";
import { createScheduler } from "#core/scheduler/index.js";
import { FakeClock } from "./fake-clock.js";
import { Southbound, sameThing, type Thing } from "./southbound.js";

/** One step of a scenario file: a word or two, its arguments, and the indented lines below it. */
export interface Step {
  readonly line: number;
  readonly text: string;
  readonly block: readonly string[];
}

/** Splits a scenario file into steps. `#` begins a comment; indented lines belong to the step above. */
export function readSteps(text: string): readonly Step[] {
  const steps: { line: number; text: string; block: string[] }[] = [];
  for (const [index, raw] of text.split("\n").entries()) {
    const line = raw.replace(/(^|\s)#.*$/, "").trimEnd();
    if (line.trim() === "") continue;
    if (!/^\s/.test(line)) steps.push({ line: index + 1, text: line.replace(/:$/, ""), block: [] });
    else if (steps.length === 0) throw new Error(`line ${index + 1}: an indented line needs a step above it`);
    else steps.at(-1)?.block.push(line.trim());
  }
  return steps;
}

/** What a scenario says should be, and what was, each as lines. */
export interface Expectation {
  readonly step: Step;
  readonly expected: readonly string[];
  readonly found: readonly string[];
}

const TIMES: Readonly<Record<string, number>> = { once: 1, twice: 2, always: Number.POSITIVE_INFINITY };
const PREFIXES = ["a/", "b/"];

/** Plays a scenario on a scheduler and a southbound of its own. The steps are described in scenarios/README.md. */
export class Scenario {
  private readonly clock = new FakeClock();
  private readonly below = new Southbound();
  private readonly scheduler = createScheduler({ clock: this.clock });
  private readonly told: string[] = [];
  private readonly described = new Set<string>();
  private executed: RecordedOperation[] = [];
  private error = "";

  constructor() {
    this.scheduler.watchTransactions((record) => {
      this.executed.push(...record.executed);
      this.error = record.error;
    });
    this.scheduler.watchDrift((drifts) => {
      this.told.push(...drifts.flatMap(({ keys, policy }) => keys.map((key) => `${key} ${policy}`)));
    });
  }

  /** Does a step. Returns what is to be compared when it is an expectation. */
  async play(step: Step): Promise<Expectation | undefined> {
    const [verb = "", ...rest] = step.text.split(/\s+/);
    if (verb === "descriptor") this.describe(rest);
    else {
      this.describeTheRest();
      if (verb === "expect") return this.expect(step, rest.join(" "));
      await this.act(verb, rest, step);
    }
    return undefined;
  }

  /** What the scheduler did that it must never do. */
  get violations(): readonly string[] {
    return this.below.violations;
  }

  close(): Promise<void> {
    return this.scheduler.close();
  }

  private describe([prefix = "", ...traits]: readonly string[]): void {
    this.described.add(prefix);
    const has = (trait: string): boolean => traits.join(" ").includes(trait);
    const policy = (["report", "ignore"] as const).find((each) => has(`drift ${each}`)) ?? ("enforce" as DriftPolicy);
    const whole = this.below.descriptor(prefix, {
      equivalent: (_key, a, b) => sameThing(a, b),
      drift: policy,
      concurrency: has("serial") ? "serial" : "parallel",
    });
    const lacking = ["create", "update", "delete", "retrieve"].filter((method) => has(`without ${method}`));
    const descriptor = Object.fromEntries(Object.entries(whole).filter(([name]) => !lacking.includes(name)));
    this.scheduler.registerDescriptor(descriptor as typeof whole);
  }

  private describeTheRest(): void {
    if (this.described.has("o/")) return;
    for (const prefix of PREFIXES) if (!this.described.has(prefix)) this.describe([prefix]);
    this.scheduler.registerDescriptor({ name: "obtained", prefix: "o/" });
    this.described.add("o/");
  }

  private async act(verb: string, rest: readonly string[], { block, line }: Step): Promise<void> {
    const [key = "", ...arguments_] = rest;
    switch (verb) {
      case "fail":
        return this.fail(`${key} ${arguments_[0] ?? ""}`, arguments_.slice(1));
      case "foreign":
        this.below.putForeign(key, thing(arguments_.join(" ")));
        return;
      case "below":
        this.below.put(key, thing(arguments_.join(" ")));
        return;
      case "commit":
        return this.commit(rest.join(" "), block);
      case "obtained":
      case "gone":
        return this.notify(key, verb === "obtained" ? thing(arguments_.join(" ")) : undefined);
      case "vanish":
      case "change":
        return this.interfere(key, verb, arguments_.join(" "));
      case "resync":
        this.executed = [];
        await this.scheduler.resyncDownstream();
        return;
      case "wait":
        this.executed = [];
        this.clock.advance(Number.parseFloat(key) * 1_000);
        return this.idle();
      default:
        throw new Error(`line ${line}: nobody knows the step "${verb}"`);
    }
  }

  private async interfere(key: string, verb: "vanish" | "change", text: string): Promise<void> {
    const [value = "", others = ""] = text.split(/(?:^| )beside /);
    this.executed = [];
    if (verb === "vanish") this.below.values.delete(key);
    else this.below.put(key, thing(value));
    this.below.removeOrphans();
    await this.scheduler.refresh([...others.split(" ").filter(Boolean), key]);
  }

  private fail(call: string, traits: readonly string[]): void {
    const times = traits.map((trait) => TIMES[trait]).find((count) => count !== undefined) ?? 1;
    this.below.faults.set(call, times);
    if (traits.includes("half-done")) this.below.halfDone.add(call);
  }

  private async commit(options: string, block: readonly string[]): Promise<void> {
    this.executed = [];
    const kind = (["full-resync", "upstream-resync"] as const).find((each) => options.includes(each));
    const spec: TransactionSpec = {
      changes: block.map(change),
      atomic: options.includes("atomic"),
      simulate: options.includes("simulate"),
      rejectInvalid: options.includes("reject-invalid"),
      ...(options.includes("remove-orphans") ? { orphans: "remove" } : {}),
      ...(kind === undefined ? {} : { kind }),
      ...(options.includes("no-retry") ? { retry: false } : {}),
    };
    const record = await this.scheduler.commit(spec);
    if (spec.simulate === true) this.executed = [...record.planned];
    this.error = record.error;
  }

  private async notify(key: string, value: Thing | undefined): Promise<void> {
    this.executed = [];
    this.below.foreign.add(key);
    if (value !== undefined) this.below.put(key, value);
    this.scheduler.notify([{ key, value }]);
    await this.idle();
    if (value === undefined) this.below.values.delete(key);
  }

  /** A simulation waits for everything before it, and is not remembered. */
  private async idle(): Promise<void> {
    await this.scheduler.commit({ changes: [], simulate: true });
  }

  private expect(step: Step, what: string): Expectation {
    const { block } = step;
    switch (what) {
      case "nothing":
        return { step, expected: [], found: this.executed.map(describeOperation) };
      case "operations":
        return { step, expected: block, found: this.executed.map(describeOperation) };
      case "states":
        return {
          step,
          expected: block,
          found: block.map((line) => describeStatus(this.scheduler.status(line.split(" ")[0] ?? ""))),
        };
      case "below":
        return { step, expected: [...block].sort(), found: [...this.below.values.keys()].sort() };
      case "drift":
        return { step, expected: block, found: this.told.splice(0) };
      case "error":
        return { step, expected: block, found: this.error === "" ? [] : [this.error] };
      default:
        throw new Error(`line ${step.line}: nobody knows what "expect ${what}" means`);
    }
  }
}

/** `a/1 {size: 2}`, or `delete a/1`. */
function change(line: string): readonly [string, Thing | undefined] {
  const [key = "", ...rest] = line.split(/\s+/);
  return key === "delete" ? [rest[0] ?? "", undefined] : [key, thing(rest.join(" "))];
}

/** A value in YAML's flow style; nothing at all is an empty value. */
function thing(text: string): Thing {
  return text === "" ? {} : (parse(text) as Thing);
}

/** `CREATE a/1`, `CREATE a/1 recreated`, `CREATE a/1 fails`. */
function describeOperation({ operation, key, recreate, error, state }: RecordedOperation): string {
  const outcome = state === "INVALID" ? " refused" : error === "" ? "" : " fails";
  return `${operation} ${key}${recreate ? " recreated" : ""}${outcome}`;
}

/** `a/1 CONFIGURED`, `a/1 PENDING: b/1, b/2`. */
function describeStatus({ key, state, details }: ValueStatusRecord): string {
  return details.length === 0 ? `${key} ${state}` : `${key} ${state}: ${details.join(", ")}`;
}
