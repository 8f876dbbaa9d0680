import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import type { Transaction, TransactionResult } from "#core/northbound/index.js";
import type { Api } from "../api.js";
import { decodeTransaction, sendResult, unreadable } from "../body.js";
import { NotFoundError } from "../errors.js";
import { numberArgument } from "../query.js";

type ById = { Params: { id: string } };

/**
 * Transactions. A result is answered with status 200, whatever its outcome, because the transaction was dealt with;
 * only `REJECTED` has 422, so that a client that looks at nothing but the status still notices. Results are JSON, or
 * protobuf for a request that came as protobuf or asks for it.
 */
export function transactionRoutes(server: FastifyInstance, api: Api): void {
  server.post("/v1/transactions", (request, reply) => commit(api, request, reply));

  server.post<ById>("/v1/transactions/:id/confirm", async (request, reply) =>
    sendResult(api, request, reply, await api.northbound().confirm(request.params.id)),
  );

  server.post<ById>("/v1/transactions/:id/cancel", async (request, reply) =>
    sendResult(api, request, reply, await api.northbound().cancel(request.params.id)),
  );

  server.get("/v1/transactions", () => api.northbound().history());

  server.get<{ Params: { seq: string } }>("/v1/transactions/:seq", ({ params }) => {
    const [entry] = api.northbound().history(numberArgument(params.seq, "seq"));
    if (entry !== undefined) return entry;
    throw new NotFoundError("UNKNOWN_TRANSACTION", `the history has no transaction ${params.seq}`);
  });
}

async function commit(api: Api, request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
  const northbound = api.northbound();
  let transaction: Transaction;
  try {
    transaction = decodeTransaction(api, request);
  } catch (cause) {
    const result: TransactionResult | undefined = unreadable(cause);
    if (result === undefined) throw cause;
    return sendResult(api, request, reply, result);
  }
  return sendResult(api, request, reply, await northbound.commit(transaction, "http"));
}
