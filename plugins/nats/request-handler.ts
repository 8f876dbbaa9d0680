import { InvalidInputError, TenutoError } from "#core/errors.js";
import type { Encoding, ModelRegistry } from "#core/model/types.js";
import { fitResult } from "#core/northbound/fit.js";
import { emptyResult, idOf, requestEncoding, type TransactionLimits } from "#core/northbound/incoming.js";
import type { GroupRequest, Northbound, Transaction, TransactionResult } from "#core/northbound/index.js";
import type { TransactionParts } from "#core/northbound/parts.js";
import { SerialQueue } from "#core/northbound/serial-queue.js";
import type { ConfigRequest } from "#proto/nats.js";
import { hasTooLong, splitToFit } from "./fit.js";
import { errorReply, jsonBytes, type Outgoing, outgoing } from "./messages.js";
import { decodeRequest, type ListRequest, REQUESTS } from "./requests.js";

/** A request as it came. */
export interface Incoming {
  readonly data: Uint8Array;
  readonly contentType: string;
  /** Header `tenuto-part`, empty without. */
  readonly part: string;
}

const TRANSACTION = "tenuto.v1.Transaction";
const RESULT = "tenuto.v1.TransactionResult";

/**
 * Turns requests into answers: decodes them, asks the agent, and encodes what it says in the encoding of the request and in
 * messages no larger than the broker takes. Never throws: an error is an answer too.
 */
export class RequestHandler {
  private readonly registry: ModelRegistry;
  private readonly northbound: Northbound;
  private readonly parts: TransactionParts;
  private readonly limits: TransactionLimits;
  /** A large transaction takes its time to be decoded; those behind it must not overtake it. */
  private readonly intake = new SerialQueue();

  constructor(registry: ModelRegistry, northbound: Northbound, parts: TransactionParts, limits: TransactionLimits) {
    this.registry = registry;
    this.northbound = northbound;
    this.parts = parts;
    this.limits = limits;
  }

  /** `limit`: bytes of a message. A commit and whatever has a single result is answered with one message. */
  async answer(kind: ConfigRequest, incoming: Incoming, limit: number): Promise<readonly Outgoing[]> {
    const encoding = requestEncoding(incoming.data, incoming.contentType);
    try {
      if (kind === "commit") return [await this.commit(incoming, encoding, limit)];
      const request = REQUESTS[kind];
      const decoded = await decodeRequest(this.registry, request.message, incoming.data, incoming.contentType);
      return "reply" in request
        ? await this.list(request, decoded, encoding, limit)
        : [this.result(await request.handle(this.northbound, decoded), encoding, limit)];
    } catch (error) {
      return [errorReply(error)];
    }
  }

  /** The answer to a request that is a plugin's own. One that is nothing but a list may come in several messages. */
  async answerGroup(
    request: GroupRequest,
    { data, contentType }: Incoming,
    limit: number,
  ): Promise<readonly Outgoing[]> {
    const encoding = requestEncoding(data, contentType);
    try {
      const argument = await decodeRequest(this.registry, request.message, data, contentType);
      const answer = await request.handle(argument);
      const [[field, items] = ["", undefined], ...others] = Object.entries(answer);
      const isList = Array.isArray(items) && others.length === 0;
      if (isList) return await this.pieces({ message: request.reply, field }, items, encoding, limit);
      const whole = this.encode(request.reply, answer, encoding);
      if (whole.length > limit) throw tooLarge("the answer", limit);
      return [outgoing(whole, encoding)];
    } catch (error) {
      return [errorReply(error)];
    }
  }

  /** A transaction that can never be applied is REJECTED. Anything else that goes wrong is ours, and thrown. */
  private async commit(incoming: Incoming, encoding: Encoding, limit: number): Promise<Outgoing> {
    let transaction: Transaction | undefined;
    try {
      const taken = await this.intake.run(async () => {
        const decoded = await this.decode(incoming);
        transaction = decoded;
        // Not awaited in here: the next one can be decoded while this one is being applied.
        return { result: this.commitPart(incoming, decoded) };
      });
      return this.result(await taken.result, encoding, limit);
    } catch (error) {
      if (!(error instanceof TenutoError) || error.kind !== "invalid-input") throw error;
      const rejected = emptyResult(transaction?.id ?? idOf(incoming.data), "REJECTED", error.message);
      // Bytes that are nothing are no protobuf either: their sender can read JSON at least.
      const readable = transaction === undefined && incoming.contentType === "" ? "json" : encoding;
      return this.result(rejected, readable, limit);
    }
  }

  private decode({ data, contentType }: Incoming): Promise<Transaction> {
    return this.registry.decodeInSlices(TRANSACTION, data, { contentType, maxEntries: this.limits.maxChanges });
  }

  private async commitPart({ part: position, data }: Incoming, transaction: Transaction): Promise<TransactionResult> {
    if (position === "") return await this.northbound.commit(transaction, "nats");
    const part = { position, transaction, bytes: data.length };
    const whole = this.parts.add(part);
    if (whole !== undefined) return await this.northbound.commit(whole, "nats");
    return (await this.parts.answeredBefore(part, this.northbound)) ?? emptyResult(transaction.id ?? "", "PART");
  }

  private result(result: TransactionResult, encoding: Encoding, limit: number): Outgoing {
    const encode = (fitting: TransactionResult): Uint8Array => this.encode(RESULT, fitting, encoding);
    return outgoing(fitResult(result, limit, encode), encoding);
  }

  private async list(
    request: ListRequest,
    decoded: object,
    encoding: Encoding,
    limit: number,
  ): Promise<readonly Outgoing[]> {
    return await this.pieces(request.reply, await request.handle(this.northbound, decoded), encoding, limit);
  }

  private async pieces(
    { message, field }: { readonly message: string; readonly field: string },
    items: readonly unknown[],
    encoding: Encoding,
    limit: number,
  ): Promise<readonly Outgoing[]> {
    // What is refused for its size need not be put into words first: that holds up everybody.
    if (encoding === "json" && (await hasTooLong(items, limit))) throw tooLarge(`one of the ${field}`, limit);
    const messages = await splitToFit(items, limit, (some) => this.encode(message, { [field]: some }, encoding));
    if (messages.some(({ length }) => length > limit)) throw tooLarge(`one of the ${field}`, limit);
    return messages.map((data) => outgoing(data, encoding));
  }

  /** What the agent says is the contract's JSON already. */
  private encode(message: string, value: object, encoding: Encoding): Uint8Array {
    return encoding === "json" ? jsonBytes(value) : this.registry.encodeMessage(message, value, encoding);
  }
}

function tooLarge(what: string, limit: number): InvalidInputError {
  return new InvalidInputError("TOO_LARGE", `${what} is larger than a message of the broker (${limit} bytes)`);
}
