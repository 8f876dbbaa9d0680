import { SouthboundError, TenutoError } from "#core/errors.js";
import { Budget } from "#core/model/budget.js";
import { FieldError } from "#core/model/field-error.js";
import { createModelRegistry } from "#core/model/index.js";
import { scanJson } from "#core/model/json-scan.js";
import { idOf, requestEncoding } from "#core/northbound/incoming.js";
import type { Transaction } from "#core/northbound/index.js";
import { TransactionParts } from "#core/northbound/parts.js";
import { desiredItems } from "#plugins/file/desired.js";
import { parseDocuments } from "#plugins/file/document.js";
import { namedHost } from "#plugins/http/host-header.js";
import { argument, flagArgument, numberArgument, timeArgument } from "#plugins/http/query.js";
import { RouteTable } from "#plugins/http/route-table.js";
import { decodeRecords } from "#plugins/kafka/records/decode.js";
import { Reader, Writer } from "#plugins/netlink/codec/buffer.js";
import { messagesOf } from "#plugins/netlink/codec/message.js";
import { decodeEvent } from "#plugins/netlink/namespace/events.js";
import { models } from "#proto/models.js";
import { JAVA_BATCHES } from "#test/kafka/support/java-batches.js";
import { batch, CODEC, COMPRESSORS, sign } from "#test/kafka/support/log.js";
import { decoders } from "#test/netlink/decoders.js";
import { messages } from "#test/netlink/messages.js";

export interface Target {
  readonly name: string;
  readonly seeds: readonly Uint8Array[];
  /** Pieces that mean something. */
  readonly words: readonly string[];
  /** Throws for a fault: what may go wrong is caught inside. */
  readonly run: (input: Uint8Array) => void | Promise<void>;
}

const TRANSACTION = "tenuto.v1.Transaction";
const registry = createModelRegistry({ label: "t1" });
for (const model of models) registry.register(model);

/** Bad input is an answer; anything else that is thrown is a fault. */
function tolerating(kind: typeof FieldError | typeof TenutoError, work: () => void): void {
  try {
    work();
  } catch (error) {
    const isExpected =
      kind === TenutoError ? error instanceof TenutoError && error.kind === "invalid-input" : error instanceof kind;
    if (!isExpected) throw error;
  }
}

const EXAMPLES: Transaction = {
  id: "9f0c",
  description: "Größe",
  atomic: true,
  confirm_timeout: "60s",
  mode: "REPLACE",
  changes: [
    {
      key: "config/linux/interfaces/v2/interface/veth1",
      value: {
        name: "veth1",
        type: "VETH",
        namespace: { type: "NSID", reference: "red" },
        host_if_name: "eth0",
        enabled: true,
        ip_addresses: ["10.0.0.1/24", "2001:db8::1/64"],
        phys_address: "02:00:00:00:00:01",
        mtu: 1400,
        veth: { peer_if_name: "veth2", rx_checksum_offloading: "ENABLED" },
      },
    },
    {
      key: "config/linux/l3/v2/route/10.1.0.0/16/veth1",
      value: {
        outgoing_interface: "veth1",
        dst_network: "10.1.0.0/16",
        gw_addr: "10.0.0.2",
        scope: "GLOBAL",
        metric: 7,
      },
    },
    { key: "config/linux/l3/v2/arp/veth1/10.0.0.9", delete: true },
  ],
};

function decodeAll(bytes: Uint8Array, contentType: string): void {
  tolerating(TenutoError, () => {
    const { changes } = registry.decodeMessage<Transaction>(TRANSACTION, bytes, contentType);
    for (const { key, value } of changes) {
      tolerating(
        TenutoError,
        () => void (value === undefined ? registry.normaliseKey(key) : registry.decode(key, value)),
      );
    }
  });
}

function json(bytes: Uint8Array): void {
  decodeAll(bytes, "application/json");
  decodeAll(bytes, "");
  requestEncoding(bytes, "");
  idOf(bytes);
  let parsed: unknown;
  try {
    parsed = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch {
    parsed = undefined;
  }
  try {
    scanJson(bytes, new Budget());
  } catch (error) {
    if (!(error instanceof FieldError)) throw error;
    if (parsed !== undefined && error.code === "INVALID_JSON")
      throw new Error("what is JSON was refused", { cause: error });
  }
}

function protobuf(bytes: Uint8Array): void {
  decodeAll(bytes, "application/x-protobuf");
  tolerating(TenutoError, () => void registry.decode(EXAMPLES.changes[0]!.key, bytes, "application/x-protobuf"));
}

function keys(bytes: Uint8Array): void {
  const key = Buffer.from(bytes).toString("utf8");
  tolerating(TenutoError, () => {
    const normalised = registry.normaliseKey(key);
    if (registry.normaliseKey(normalised) !== normalised) throw new Error(`${normalised} is no normal form`);
  });
  tolerating(TenutoError, () => void registry.normalisePrefix(key));
  tolerating(TenutoError, () => void registry.decode(key, {}));
  registry.forKey(key);
}

function yaml(bytes: Uint8Array): void {
  const read = parseDocuments("fuzz.yaml", Buffer.from(bytes).toString("utf8"));
  if (read.ok) desiredItems(read.content, registry);
}

function netlink(bytes: Uint8Array): void {
  const reader = new Reader(bytes);
  for (const { decode } of Object.values(decoders)) southbound(() => void decode(reader, 0, bytes.length));
  for (const message of messagesOf(reader, 0, bytes.length)) southbound(() => void decodeEvent(reader, message));
}

function southbound(work: () => void): void {
  try {
    work();
  } catch (error) {
    if (!(error instanceof SouthboundError)) throw error;
  }
}

/** The log as it is, then with a checksum that fits its first batch: without one nothing behind the checksum is ever reached. */
async function records(bytes: Uint8Array): Promise<void> {
  const log = Buffer.from(bytes);
  await readThrough(log);
  if (log.length <= BATCH_HEADER) return;
  const length = 12 + log.readInt32BE(8);
  sign(log.subarray(0, length > BATCH_HEADER && length < log.length ? length : log.length));
  await readThrough(log);
}

/** A log never stands still: the last record says where it goes on. */
async function readThrough(log: Buffer): Promise<void> {
  const read = await decodeRecords(log, { from: 0n, end: 1_000n, aborted: [] });
  const last = read.at(-1);
  if (log.length > 0 && (last === undefined || BigInt(last.offset) < 0n)) throw new Error("the log does not go on");
}

const BATCH_HEADER = 61;
const RECORDS = [
  { key: "config/x", value: '{"name":"x"}', headers: [["tenuto-part", "1/2"] as const] },
  { key: null, value: null, headers: [["none", null] as const] },
  { key: "y", value: "y".repeat(70) },
];

function recordLogs(): readonly Uint8Array[] {
  const plain = batch({ records: RECORDS });
  const compressed = (["gzip", "snappy", "lz4", "zstd"] as const).map((codec) =>
    batch({ base: 3, records: RECORDS, attributes: CODEC[codec], compress: COMPRESSORS[codec] }),
  );
  const old = JAVA_BATCHES.filter(({ magic }) => magic < 2).map(({ base64 }) => Buffer.from(base64, "base64"));
  return [plain, ...compressed, Buffer.concat([plain, ...compressed]), ...old];
}

const routes = new RouteTable();
routes.get("/v1/config/*key", () => null);
routes.post("/v1/transactions/:id/confirm", () => null);
routes.put("/log/:logger/:level", () => null);

function http(bytes: Uint8Array): void {
  const [host = "", path = "", query = "", position = ""] = Buffer.from(bytes).toString("latin1").split("\n");
  const named = namedHost(host);
  if (named?.isAddress === false && !/^[\w.-]+$/.test(named.host)) throw new Error(`${host} is no name`);
  for (const method of ["GET", "POST", "PUT"]) {
    try {
      routes.find(method, path);
    } catch (error) {
      if (!(error instanceof URIError)) throw error;
    }
  }
  const parameters = new URLSearchParams(query);
  tolerating(TenutoError, () => void numberArgument(argument(parameters, "seq"), "seq"));
  tolerating(TenutoError, () => void timeArgument(argument(parameters, "time"), "time"));
  tolerating(TenutoError, () => void flagArgument(argument(parameters, "downstream"), "downstream"));
  const parts = new TransactionParts({ maxBytes: 10, maxChanges: 10, timeLimit: 60_000 }, () => undefined);
  tolerating(TenutoError, () => void parts.add({ position, bytes: 1, transaction: { id: host, changes: [] } }));
  parts.close();
}

function netlinkSeed(encode: (writer: Writer) => void): Uint8Array {
  const writer = new Writer();
  encode(writer);
  return writer.take();
}

const text = (...lines: readonly string[]): readonly Uint8Array[] => lines.map((line) => Buffer.from(line));
const JSON_WORDS = [
  '{"',
  '":',
  '"@type":',
  "[",
  "]",
  "{",
  "}",
  ",",
  "null",
  "true",
  "1e999",
  "-0",
  "\\u0000",
  "\\ud800",
  '"__proto__":',
  '"value":',
  '"changes":',
  '"key":',
  "\u{feff}",
];

export const targets: readonly Target[] = [
  {
    name: "json",
    seeds: [Buffer.from(JSON.stringify(EXAMPLES)), ...text("{}", '{"changes":[]}')],
    words: JSON_WORDS,
    run: json,
  },
  {
    name: "protobuf",
    seeds: [
      registry.encodeMessage(TRANSACTION, EXAMPLES, "protobuf"),
      ...EXAMPLES.changes.flatMap(({ key, value }) =>
        value === undefined ? [] : [registry.encode(key, value, "protobuf")],
      ),
    ],
    words: [
      "\n\u0001",
      "\u0012",
      ":\0",
      "type.googleapis.com/ligato.linux.l3.Route",
      "tenuto.v1.JsonValue",
      "\u000b",
      "\u000c",
    ],
    run: protobuf,
  },
  {
    name: "keys",
    seeds: text(
      ...EXAMPLES.changes.map(({ key }) => key),
      "/vnf-agent/t1/linux/config/v1/interface/veth1",
      "config/linux/l3/v2/route/0.0.0.0/0/multipath;vrf=red;table=7;metric=3",
      "config/linux/l3/v2/rule/100;family=ipv6;namespace=red",
    ),
    words: ["/", ";", "=", "config/linux/", "/vnf-agent/", "t1/", "::", "%", "vrf=", "table=", "namespace="],
    run: keys,
  },
  {
    name: "yaml",
    seeds: text(
      "linuxConfig:\n  interfaces:\n    - {name: a, type: DUMMY, mtu: 1400}\n  routes: []\n",
      "changes:\n- key: config/linux/interfaces/v2/interface/a\n  value: &a {name: a}\n- key: b\n  value: *a\n---\n- x\n",
    ),
    words: [
      "- ",
      ": ",
      "\n  ",
      "&a ",
      "*a",
      "<<: ",
      "{",
      "[",
      "? ",
      "|\n",
      "!!binary ",
      "---\n",
      "...\n",
      "\t",
      "#",
      "'",
      '"',
      "%YAML 1.1\n",
    ],
    run: yaml,
  },
  {
    name: "netlink",
    seeds: messages.map(({ encode }) => netlinkSeed(encode)),
    words: ["\u0004\0", "\0\0\0\0", "\u0008\0\u0001\0"],
    run: netlink,
  },
  {
    name: "records",
    seeds: recordLogs(),
    words: ["\0\0\0\u0001", "\u0001", "\u007f\u007f\u007f\u007f\u0007", "\0\0\0\0\0\0\0\0"],
    run: records,
  },
  {
    name: "http",
    seeds: text(
      "[::1]:9191\n/v1/config/config/linux/a%20b\nseq=1&time=2026-01-01T00:00:00Z&downstream\n1/2",
      "localhost:80\n/v1/transactions/x/confirm\ntime=1e9\n2/1",
    ),
    words: ["[", "]", ":", "%2f", "%", "..", "//", "\n", "&", "=", "1e400", ".evil.example", "/"],
    run: http,
  },
];
