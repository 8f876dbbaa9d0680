/** What an operation is answered with. */
export type ApiAnswer =
  | { readonly message: string }
  | { readonly listOf: string }
  | { readonly media: string }
  /** JSON of a shape that Ligato's REST API has. */
  | { readonly ligato: string };

/** One operation of the HTTP API. */
export interface ApiOperation {
  /** Method and path, with parameters in braces. */
  readonly route: `${"GET" | "POST" | "PUT" | "DELETE"} /${string}`;
  readonly summary: string;
  /** Arguments in the query, with what they mean. */
  readonly query?: Readonly<Record<string, string>>;
  /** Full name of the message that the body is; `value`: the message of the key in the path. */
  readonly body?: string;
  readonly answer: ApiAnswer;
}

const RESULT: ApiAnswer = { message: "tenuto.v1.TransactionResult" };
const JSON_MEDIA: ApiAnswer = { media: "application/json" };
const PREFIX = { prefix: "A key or a key prefix; everything when left out." };
const TIME = "Unix seconds, milliseconds or nanoseconds, or RFC 3339.";

/** Every operation, by the part of the API that it belongs to. Requests of plugins come on top. */
export const OPERATIONS: Readonly<Record<string, readonly ApiOperation[]>> = {
  configuration: [
    {
      route: "POST /v1/transactions",
      summary: "Apply a transaction",
      body: "tenuto.v1.Transaction",
      answer: RESULT,
    },
    { route: "GET /v1/transactions", summary: "The history", answer: { listOf: "tenuto.v1.HistoryEntry" } },
    {
      route: "GET /v1/transactions/{seq}",
      summary: "One transaction of the history",
      answer: { message: "tenuto.v1.HistoryEntry" },
    },
    { route: "POST /v1/transactions/{id}/confirm", summary: "Keep an unconfirmed transaction", answer: RESULT },
    { route: "POST /v1/transactions/{id}/cancel", summary: "Revert an unconfirmed transaction", answer: RESULT },
    {
      route: "GET /v1/config",
      summary: "Desired values",
      query: PREFIX,
      answer: { listOf: "tenuto.v1.KeyValue" },
    },
    { route: "GET /v1/config/{key}", summary: "The desired value of a key", answer: { media: "application/json" } },
    { route: "PUT /v1/config/{key}", summary: "Set the value of a key", body: "value", answer: RESULT },
    { route: "DELETE /v1/config/{key}", summary: "Delete the value of a key", answer: RESULT },
    {
      route: "POST /v1/resync",
      summary: "Compare with what is desired, and repair",
      query: {
        downstream:
          "`true`: read what is there, and do not ask the sources again. A body may say the same, as over a bus.",
        prune: "`true`: afterwards remove what nobody asks for any more.",
        dry_run: "`true`, with `prune`: say what would be removed, and do nothing.",
      },
      answer: RESULT,
    },
  ],
  state: [
    {
      route: "GET /v1/status",
      summary: "The state of every value",
      query: { ...PREFIX, state: "`pending` or `failed`: these only." },
      answer: { listOf: "tenuto.v1.ValueStatus" },
    },
    {
      route: "GET /v1/dump",
      summary: "Values from one side",
      query: { ...PREFIX, view: "`nb` (default): desired; `sb`: there, read anew; `cached`: believed to be there." },
      answer: { listOf: "tenuto.v1.KeyValue" },
    },
    {
      route: "GET /v1/interfaces",
      summary: "The last state of every interface",
      answer: { listOf: "ligato.linux.interfaces.InterfaceNotification" },
    },
    {
      route: "GET /v1/events",
      summary: "What happens, as it happens: server-sent events, each a CloudEvent in JSON",
      query: {
        kind: "`interface`, `value`, `transaction`, `drift`, `ifmgr`, `health`, `deadletter`; may be repeated.",
      },
      answer: { media: "text/event-stream" },
    },
    { route: "GET /v1/info", summary: "The agent itself", answer: JSON_MEDIA },
  ],
  health: [
    { route: "GET /liveness", summary: "200: it works; 500: it does not, and will not by itself", answer: JSON_MEDIA },
    { route: "GET /readiness", summary: "200: ready; 503: not yet; 500: it will not be", answer: JSON_MEDIA },
    { route: "GET /metrics", summary: "For Prometheus", answer: { media: "text/plain" } },
    { route: "GET /log/list", summary: "Loggers and their levels", answer: JSON_MEDIA },
    { route: "PUT /log/{logger}/{level}", summary: "Set the level of a logger", answer: JSON_MEDIA },
  ],
  ligato: [
    {
      route: "GET /scheduler/dump",
      summary: "Values with metadata; without arguments, what may be asked for",
      query: {
        view: "`SB` (default), `NB` or `cached`.",
        descriptor: "Of this descriptor.",
        "key-prefix": "Below this prefix.",
      },
      answer: { ligato: "KVWithMetadata[]" },
    },
    {
      route: "GET /scheduler/status",
      summary: "States of values, derived ones below theirs",
      query: { key: "Of this key alone.", "key-prefix": "Below this prefix." },
      answer: { ligato: "BaseValueStatus[]" },
    },
    {
      route: "GET /scheduler/txn-history",
      summary: "Past transactions",
      query: { "seq-num": "This one alone.", since: TIME, until: TIME, format: "`json` (default) or `text`." },
      answer: { ligato: "RecordedTxn[]" },
    },
    {
      route: "GET /scheduler/key-timeline",
      summary: "What a key was, and when",
      query: { key: "Mandatory.", time: `Then alone. ${TIME}` },
      answer: { ligato: "RecordedNode[]" },
    },
    {
      route: "GET /scheduler/graph-snapshot",
      summary: "The graph of values at a time",
      query: { time: `Default: now. ${TIME}` },
      answer: { ligato: "RecordedNode[]" },
    },
    {
      route: "GET /scheduler/graph",
      summary: "The graph of values, drawn",
      query: {
        format: "`svg` (default), `dot` or `json`.",
        txn: "As this transaction left it.",
        time: `As it was then. ${TIME}`,
      },
      answer: { media: "image/svg+xml" },
    },
    {
      route: "GET /scheduler/flag-stats",
      summary: "How often a flag occurs",
      query: {
        flag: "Mandatory: `last-update`, `value-state`, `error`, `unavailable`, `descriptor` or `derived`.",
        prefix: "Of keys with this prefix; may be repeated.",
      },
      answer: { ligato: "FlagStats" },
    },
    {
      route: "POST /scheduler/downstream-resync",
      summary: "Read what is there, and repair what differs",
      query: { retry: "Accepted, and without effect: failed operations are always retried." },
      answer: { ligato: "RecordedTxn" },
    },
    { route: "GET /dump/linux/v2/interfaces", summary: "Interfaces in the kernel", answer: { ligato: "object[]" } },
    { route: "GET /dump/linux/v2/routes", summary: "Routes in the kernel", answer: { ligato: "object[]" } },
    { route: "GET /dump/linux/v2/arps", summary: "Neighbours in the kernel", answer: { ligato: "object[]" } },
  ],
  description: [
    { route: "GET /", summary: "A page that shows the agent", answer: { media: "text/html" } },
    { route: "GET /openapi.json", summary: "This document", answer: JSON_MEDIA },
    { route: "GET /asyncapi.json", summary: "What the agent says and takes on the buses", answer: JSON_MEDIA },
  ],
};
