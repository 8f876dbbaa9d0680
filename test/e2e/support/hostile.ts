/** Messages that no orchestrator should send, and good ones to send between them. */
import type { ExecutionContext } from "ava";
import type { Change } from "#client/index.js";
import { link, run } from "#test/support/sandbox.js";
import type { Result } from "./bus.js";
import { INTERFACE } from "./pair.js";
import { end, type Transaction } from "./stream.js";

const KINDS: readonly ((index: number) => string | Buffer)[] = [
  () => Buffer.of(0xff),
  () => "{",
  () => "",
  (index) => JSON.stringify({ id: `p${index}`, chnages: [] }),
  (index) => Buffer.from(`\u0008${"\u0012".repeat(index % 100)}`),
  () => JSON.stringify({ changes: [{ key: INTERFACE, value: 7 }] }),
  () => "null",
  (index) => JSON.stringify({ changes: "x".repeat(index % 1_000) }),
];

/** Bytes that are no transaction, of a different kind each time. Now and then 900 KB of them. */
export function poison(index: number): Buffer {
  const kind = KINDS[index % KINDS.length];
  return index % 1_000 === 50 ? Buffer.alloc(900_000, "x") : Buffer.from(kind?.(index) ?? "");
}

/** Transactions about one pair: each gives it another MTU. */
export function change(name: string, mtu: number): readonly Change[] {
  return [end(name, `${name}-p`, { mtu }), end(`${name}-p`, name)];
}

/** A transaction of 900 KB. */
export function large(id: string, changes: readonly Change[]): Transaction & { readonly description: string } {
  return { id, changes, description: "x".repeat(900_000 - JSON.stringify(changes).length) };
}

/** A pair and `count` routes over it: `40.x.y.z/32`. */
export function manyRoutes(name: string, count: number): readonly Change[] {
  const routes = Array.from({ length: count }, (_, index) => {
    const network = `40.${index >> 16}.${(index >> 8) & 255}.${index & 255}/32`;
    const value = { outgoing_interface: name, dst_network: network, scope: "LINK" };
    return { key: `config/linux/l3/v2/route/${network}/${name}`, value };
  });
  return [...change(name, 1_500), ...routes];
}

export async function mtuOf(name: string): Promise<number | undefined> {
  return (await link(name))?.mtu;
}

/** One answer for the whole, every route in the kernel, and none any more once nothing is desired. */
export async function routesInParts(
  t: ExecutionContext,
  count: number,
  commit: (transaction: Omit<Transaction, "id">) => Promise<Result>,
): Promise<void> {
  const inKernel = async (): Promise<number> => {
    const table = await run(["ip", "route", "show", "root", "40.0.0.0/8"]);
    return table.split("\n").filter((line) => line !== "").length;
  };
  const begin = performance.now();
  const result = await commit({ changes: manyRoutes("many", count) });
  t.is(result.outcome, "APPLIED", result.error);
  t.log(`${count} routes in ${Math.round(performance.now() - begin)} ms`);
  t.is(await inKernel(), count);
  const nothing = await commit({ mode: "REPLACE", changes: [] });
  t.is(nothing.outcome, "APPLIED", nothing.error);
  t.is(await inKernel(), 0);
  t.is(await link("many"), undefined);
}
