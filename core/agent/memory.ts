import { performance } from "node:perf_hooks";
import { getHeapStatistics, setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

/** How often the process is looked at, ms. */
const INTERVAL = 1_000;
/** It rests when its event loop was busy for a smaller part of that time. */
const AT_REST = 0.1;
/** Collected when more than this has come since the last time, in bytes and as a part of what there was then. */
const MUCH = 32 * 1024 * 1024;
const PART = 0.25;

/** What of the process decides, so that a test can say it. */
export interface Process {
  /** Bytes of the heap in use, garbage included. */
  used(): number;
  /** Part of the time since the last call that the event loop was busy. */
  busy(): number;
  collect(): void;
  /** Gives back what was kept for the garbage outside the heap. */
  giveBack(): void;
}

/**
 * Has garbage collected when the process rests after much work. V8 collects when it is asked for more memory, so that without it an
 * agent keeps what its largest transaction took for as long as it has nothing to do. A collection stops everything for some
 * tens of milliseconds for every 100 MiB that live, and so waits for a moment in which there is nothing to stop.
 */
export class MemoryKeeper {
  private before: number;
  private hasCollected = false;

  constructor(private readonly process: Process) {
    this.before = process.used();
  }

  look(): void {
    // Not at once: what garbage held outside the heap is freed by other threads after the collection.
    if (this.hasCollected) this.process.giveBack();
    this.hasCollected = false;
    const used = this.process.used();
    const isResting = this.process.busy() < AT_REST;
    // V8 has collected by itself.
    if (used < this.before) this.before = used;
    if (!isResting || used - this.before < Math.max(MUCH, this.before * PART)) return;
    this.process.collect();
    this.hasCollected = true;
    this.before = this.process.used();
  }
}

const listeners = new Set<() => void>();

/**
 * Called after garbage was collected from a process at rest: the moment to give back what is kept outside the heap. Returns the
 * function that ends it.
 */
export function whenCollected(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

/** Keeps the memory of this process small. Returns the function that ends it. */
export function keepMemory(): () => void {
  const keeper = new MemoryKeeper(thisProcess());
  const timer = setInterval(() => keeper.look(), INTERVAL).unref();
  return () => clearInterval(timer);
}

function thisProcess(): Process {
  let collect: (() => void) | undefined;
  let last = performance.eventLoopUtilization();
  return {
    // Of the engine: `process.memoryUsage()` opens a file, and throws when there is no descriptor left.
    used: () => getHeapStatistics().used_heap_size,
    busy() {
      const now = performance.eventLoopUtilization();
      const { utilization } = performance.eventLoopUtilization(now, last);
      last = now;
      return utilization;
    },
    collect() {
      if (collect === undefined) {
        setFlagsFromString("--expose-gc");
        collect = runInNewContext("gc") as () => void;
      }
      // What is left is scattered over half empty pages: moved together, whole pages go back.
      setFlagsFromString("--compact-on-every-full-gc");
      collect();
      setFlagsFromString("--no-compact-on-every-full-gc");
    },
    giveBack() {
      for (const listener of listeners) listener();
    },
  };
}
