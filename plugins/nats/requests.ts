import { parseJsonObject } from "#core/model/index.js";
import type { ModelRegistry } from "#core/model/types.js";
import { requestEncoding } from "#core/northbound/incoming.js";
import type { DumpView, Northbound, StatusFilter, TransactionResult } from "#core/northbound/index.js";
import type { ConfigRequest } from "#proto/nats.js";

/** A request that is answered with one `TransactionResult`. */
export interface ResultRequest {
  /** Full protobuf name of the request. */
  readonly message: string;
  handle(northbound: Northbound, request: object): Promise<TransactionResult>;
}

/** A request that is answered with a list, in several messages when one is too small for it. */
export interface ListRequest {
  readonly message: string;
  readonly reply: {
    readonly message: string;
    /** The field that holds the list. */
    readonly field: "values" | "entries";
  };
  handle(northbound: Northbound, request: object): Promise<readonly object[]> | readonly object[];
}

/** A request as decoded: enums by name; a field may be left out or have its default, which means the same. */
interface RequestFields {
  readonly id?: string;
  readonly prefix?: string;
  readonly view?: string;
  readonly state?: string;
  readonly seq?: number;
  readonly downstream?: boolean;
  readonly prune?: boolean;
  readonly dry_run?: boolean;
}

const KEY_VALUES = { message: "tenuto.v1.KeyValueList", field: "values" } as const;
const STATUSES = { message: "tenuto.v1.StatusList", field: "values" } as const;
const HISTORY = { message: "tenuto.v1.HistoryList", field: "entries" } as const;

const VIEWS: Readonly<Record<string, DumpView>> = { NB: "nb", SB: "sb", CACHED: "cached" };
const FILTERS: Readonly<Record<string, "pending" | "failed">> = { PENDING: "pending", FAILED: "failed" };

function statusFilter({ prefix, state }: RequestFields): StatusFilter {
  const filter = FILTERS[state ?? ""];
  return { ...(prefix === undefined ? {} : { prefix }), ...(filter === undefined ? {} : { state: filter }) };
}

/** Every request but `commit`: the messages it is and is answered with, and what it asks of the agent. */
export const REQUESTS: Record<Exclude<ConfigRequest, "commit">, ResultRequest | ListRequest> = {
  confirm: {
    message: "tenuto.v1.ConfirmRequest",
    handle: (northbound, { id = "" }: RequestFields) => northbound.confirm(id),
  },
  cancel: {
    message: "tenuto.v1.ConfirmRequest",
    handle: (northbound, { id = "" }: RequestFields) => northbound.cancel(id),
  },
  resync: {
    message: "tenuto.v1.ResyncRequest",
    handle: (northbound, { downstream = false, prune = false, dry_run = false }: RequestFields) =>
      northbound.resync({ downstream, prune, dry_run }),
  },
  get: {
    message: "tenuto.v1.GetRequest",
    reply: KEY_VALUES,
    handle: (northbound, { prefix }: RequestFields) => northbound.get(prefix),
  },
  dump: {
    message: "tenuto.v1.DumpRequest",
    reply: KEY_VALUES,
    handle: (northbound, { view = "NB", prefix }: RequestFields) => northbound.dump(VIEWS[view] ?? "nb", prefix),
  },
  status: {
    message: "tenuto.v1.StatusRequest",
    reply: STATUSES,
    handle: (northbound, request: RequestFields) => northbound.status(statusFilter(request)),
  },
  history: {
    message: "tenuto.v1.HistoryRequest",
    reply: HISTORY,
    handle: (northbound, { seq = 0 }: RequestFields) => northbound.history(seq === 0 ? undefined : seq),
  },
};

/** Fields whose values people write in lower case, as on the command line; enum names of the protobuf are upper case. */
const LOWER_CASE_ENUMS = ["view", "state"];
/** A request with such a field is short. */
const SHORT = 4096;

function withUpperCaseEnums(data: Uint8Array): object | undefined {
  const parsed = parseJsonObject(data);
  if (parsed === undefined || Array.isArray(parsed)) return undefined;
  const fields: Record<string, unknown> = { ...parsed };
  for (const name of LOWER_CASE_ENUMS) {
    const value = fields[name];
    if (typeof value === "string") fields[name] = value.toUpperCase();
  }
  return fields;
}

/** Decodes a request strictly; an empty payload is a request without arguments. Rejects with `InvalidInputError`. */
export async function decodeRequest(
  registry: ModelRegistry,
  message: string,
  data: Uint8Array,
  contentType: string,
): Promise<object> {
  if (data.length === 0) return {};
  const isShort = data.length <= SHORT && requestEncoding(data, contentType) === "json";
  // What is no JSON object goes on as bytes, so that the registry says what is wrong with it.
  const request = isShort ? withUpperCaseEnums(data) : undefined;
  if (request !== undefined) return registry.decodeMessage(message, request, contentType);
  return await registry.decodeInSlices(message, data, { contentType });
}
