import type { Transaction, TransactionResult } from "#core/northbound/index.js";
import type { Api } from "../api.js";
import { decodeTransaction, replyWithResult, unreadable } from "../body.js";
import { NotFoundError } from "../errors.js";
import type { HttpReply, Request } from "../exchange.js";
import { numberArgument } from "../query.js";
import type { RouteTable } from "../route-table.js";

/**
 * Transactions. A result is answered with status 200, whatever its outcome, because the transaction was dealt with;
 * only `REJECTED` has 422, so that a client that looks at nothing but the status still notices. Results are JSON, or
 * protobuf for a request that came as protobuf or asks for it.
 */
export function transactionRoutes(routes: RouteTable, api: Api): void {
  routes.post("/v1/transactions", (request) => commit(api, request));

  routes.post("/v1/transactions/:id/confirm", async (request) =>
    replyWithResult(api, request, await api.northbound().confirm(request.params.id)),
  );

  routes.post("/v1/transactions/:id/cancel", async (request) =>
    replyWithResult(api, request, await api.northbound().cancel(request.params.id)),
  );

  routes.get("/v1/transactions", () => api.northbound().history());

  routes.get("/v1/transactions/:seq", ({ params }) => {
    const [entry] = api.northbound().history(numberArgument(params.seq, "seq"));
    if (entry !== undefined) return entry;
    throw new NotFoundError("UNKNOWN_TRANSACTION", `the history has no transaction ${params.seq}`);
  });
}

async function commit(api: Api, request: Request): Promise<HttpReply> {
  const northbound = api.northbound();
  let transaction: Transaction;
  try {
    transaction = await decodeTransaction(api, request);
  } catch (cause) {
    const result: TransactionResult | undefined = unreadable(cause);
    if (result === undefined) throw cause;
    return replyWithResult(api, request, result);
  }
  return replyWithResult(api, request, await northbound.commit(transaction, "http"));
}
