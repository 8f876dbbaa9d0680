import type { ExecutionContext } from "ava";
import type { AgentProcess } from "#test/support/agent-process.js";
import { eventually } from "#test/support/eventually.js";
import { ip, link } from "#test/support/sandbox.js";
import type { Result } from "./bus.js";
import type { RouteWatch, Stream } from "./stream.js";

/** Waits until an agent that may be degraded for a while complains of nothing. */
export async function healthy(agent: AgentProcess): Promise<void> {
  await eventually(
    async () => {
      const { status, body } = await agent.request("GET", "/readiness");
      if (status !== 200 || (body as { health?: string }).health !== "ok") throw new Error(JSON.stringify(body));
      return true;
    },
    { what: "an agent that complains of nothing", timeout: 180_000 },
  );
}

/** Every transaction was answered `APPLIED`, and no two answers are of the same transaction of the agent. */
export function eachAppliedUnderItsOwnNumber(t: ExecutionContext, stream: Stream, answers: readonly Result[]): void {
  const wrong = answers.filter(({ id, outcome }, index) => outcome !== "APPLIED" || id !== stream.idOf(index));
  t.deepEqual(wrong, []);
  t.is(new Set(answers.map(({ seq }) => seq)).size, answers.length);
}

/** The kernel has seen each route come `times` too often at most, all together; and go but for those that stay. */
export async function eachInTheKernelOnce(
  t: ExecutionContext,
  watch: RouteWatch,
  count: number,
  tooOften = 0,
): Promise<number> {
  const repeated = (): number => [...watch.added.values()].reduce((sum, times) => sum + times - 1, 0);
  await eventually(() => watch.added.size === count, { what: "the kernel to tell of every route" });
  await watch.stop();
  t.true(repeated() <= tooOften, `${repeated()} routes were added again`);
  return repeated();
}

/**
 * The broker is away while the agent starts: it applies what it has stored, says that it is degraded and why, and joins when
 * the broker comes.
 */
export async function startsWithoutBroker(
  t: ExecutionContext,
  agent: AgentProcess,
  stream: Stream,
  broker: { kill(): Promise<void>; restart(): Promise<void> },
  complaint: RegExp,
): Promise<void> {
  await broker.kill();
  await agent.kill9();
  for (const name of stream.links) await ip("link", "delete", name);
  t.is(await link(stream.links[0] ?? ""), undefined);
  await agent.restart();
  await stream.settled(agent);
  const readiness = await eventually(async () => {
    const answer = await agent.request("GET", "/readiness");
    if (!complaint.test(JSON.stringify(answer.body))) throw new Error(JSON.stringify(answer.body));
    return answer;
  });
  t.like(readiness, { status: 200, body: { health: "degraded" } });
  await broker.restart();
  await healthy(agent);
}
