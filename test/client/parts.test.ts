import { setImmediate } from "node:timers/promises";
import test from "ava";
import type { Outcome, TransactionResult } from "#client/index.js";
import { sendMessages } from "#client/parts.js";

function answerOf(outcome: Outcome): TransactionResult {
  return { id: "a", seq: 0, outcome, error: "", values: [], operations: [], truncated: false };
}

const six = Array.from({ length: 6 }, (_, i) => Uint8Array.of(i));

test("several parts are on their way at once, and the last leaves when all others have arrived", async (t) => {
  const begun: string[] = [];
  const arrived: string[] = [];
  const result = await sendMessages(six, 3, async (_data, part = "") => {
    begun.push(part);
    t.true(begun.length - arrived.length <= 3);
    await setImmediate();
    if (part === "6/6") t.is(arrived.length, 5);
    arrived.push(part);
    return answerOf(part === "6/6" ? "APPLIED" : "PART");
  });
  t.is(result?.outcome, "APPLIED");
  t.deepEqual(begun, ["1/6", "2/6", "3/6", "4/6", "5/6", "6/6"]);
});

test("a transaction that is refused with an early part is not sent to its end", async (t) => {
  const begun: string[] = [];
  const result = await sendMessages(six, 2, async (_data, part = "") => {
    begun.push(part);
    return answerOf(part === "2/6" ? "REJECTED" : "PART");
  });
  t.is(result?.outcome, "REJECTED");
  t.false(begun.includes("6/6"));
});

test("when a part cannot be sent no other is begun", async (t) => {
  const begun: string[] = [];
  const sending = sendMessages(six, 2, async (_data, part = "") => {
    begun.push(part);
    if (part === "1/6") throw new Error("no way");
    await setImmediate();
    return answerOf("PART");
  });
  await t.throwsAsync(sending, { message: "no way" });
  await setImmediate();
  t.deepEqual(begun, ["1/6", "2/6"]);
});

test("a transaction in one message is no part of anything", async (t) => {
  const result = await sendMessages([Uint8Array.of(1)], 4, async (_data, part) => {
    t.is(part, undefined);
    return answerOf("APPLIED");
  });
  t.is(result?.outcome, "APPLIED");
});
