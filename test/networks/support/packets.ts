/** Packets between namespaces. */
import { Child } from "#test/support/child.js";
import { eventually } from "#test/support/eventually.js";
import { run } from "#test/support/sandbox.js";
import type { Path } from "./network.js";

/** An answer comes, once neighbours are found and protocols have agreed. */
export async function reaches(path: Path): Promise<void> {
  await eventually(() => run(pingOf(path, "-c1", "-W2")), { what: `${path.from || "the host"} to reach ${path.to}` });
}

/** Whether an answer comes, now. */
export function isReached(path: Path): Promise<boolean> {
  return run(pingOf(path, "-c1", "-W1")).then(
    () => true,
    () => false,
  );
}

function pingOf({ from, to, options = [] }: Path, ...more: readonly string[]): readonly string[] {
  const inside = from === "" ? [] : ["nsenter", `--net=/run/netns/${from}`];
  return [...inside, "ping", "-n", ...more, ...options, to];
}

/** Packets that go out all the time. */
export class Stream {
  private readonly answered: Set<number>;

  private constructor(
    private readonly child: Child,
    answered: Set<number>,
  ) {
    this.answered = answered;
  }

  /** Begins, and waits for the first answer. */
  static async start(path: Path): Promise<Stream> {
    const answered = new Set<number>();
    const child = await Child.start(pingOf(path, "-i0.1"), {
      onLine: (line) => {
        const [, number] = / icmp_seq=(\d+) ttl=/.exec(line) ?? [];
        if (number !== undefined) answered.add(Number(number));
      },
    });
    await eventually(() => answered.size > 0, { what: `packets to ${path.to}` });
    return new Stream(child, answered);
  }

  /** Waits until one more is answered, ends, and tells which were not, of those before the last answer. */
  async stop(): Promise<readonly number[]> {
    const before = this.answered.size;
    await eventually(() => this.answered.size > before, { what: "packets to pass" });
    await this.child.stop();
    const last = Math.max(...this.answered);
    const first = Math.min(...this.answered);
    return Array.from({ length: last - first }, (_, i) => first + i).filter((number) => !this.answered.has(number));
  }
}
