import type { PortRange, Rule } from "../types.js";
import { AttributeTable, type Codec } from "./attributes.js";
import { type Reader, requireHeader, type Writer } from "./buffer.js";
import { AF_INET, AF_INET6, FR_ACT_TO_TBL, RT_TABLE_MAIN } from "./constants.js";
import { addressBytes, parsePrefix } from "./prefix.js";
import { present } from "./present.js";
import { ip, string, u8, u16, u32 } from "./scalars.js";

/** struct fib_rule_hdr: u8 family, dst_len, src_len, tos, table, pad, pad, action; u32 flags. */
const headerBytes = 12;

/** FIB_RULE_INVERT of linux/fib_rules.h. The other flags are the kernel's own remarks. */
const INVERT = 0x2;
/** FRA_SUPPRESS_PREFIXLEN of a rule that suppresses nothing. */
const NOTHING_SUPPRESSED = 0xffffffff;

/** struct fib_rule_port_range: host byte order, unlike the ranges of link kinds. */
const ports: Codec<PortRange> = {
  write(writer, { first, last }) {
    u16.write(writer, first);
    u16.write(writer, last);
  },
  read({ view }, offset, length) {
    return length === 4 ? { first: view.getUint16(offset, true), last: view.getUint16(offset + 2, true) } : undefined;
  },
};

export const ruleTable = new AttributeTable("rule", {
  destination: [1, ip],
  source: [2, ip],
  inputInterface: [3, string],
  goto: [4, u32],
  priority: [6, u32],
  mark: [10, u32],
  suppressPrefixLength: [14, u32],
  table: [15, u32],
  markMask: [16, u32],
  outputInterface: [17, string],
  protocol: [21, u8],
  ipProtocol: [22, u8],
  sourcePorts: [23, ports],
  destinationPorts: [24, ports],
});

export function writeRuleHeader(writer: Writer, family: number): number {
  const at = writer.reserve(headerBytes);
  writer.view.setUint8(at, family);
  return at;
}

export function encodeRule(writer: Writer, rule: Rule): void {
  const source = rule.source === undefined ? undefined : parsePrefix(rule.source, "source");
  const destination = rule.destination === undefined ? undefined : parsePrefix(rule.destination, "destination");
  const at = writeRuleHeader(writer, rule.family === "inet6" ? AF_INET6 : AF_INET);
  const { action = FR_ACT_TO_TBL } = rule;
  const table = rule.table ?? (action === FR_ACT_TO_TBL ? RT_TABLE_MAIN : undefined);
  writer.view.setUint8(at + 1, destination?.length ?? 0);
  writer.view.setUint8(at + 2, source?.length ?? 0);
  writer.view.setUint8(at + 3, rule.tos ?? 0);
  writer.view.setUint8(at + 7, action);
  writer.view.setUint32(at + 8, rule.invert ? INVERT : 0, true);
  ruleTable.encode(
    writer,
    {
      destination: destination && destination.length > 0 ? destination.address : undefined,
      source: source && source.length > 0 ? source.address : undefined,
      inputInterface: rule.inputInterface,
      outputInterface: rule.outputInterface,
      priority: rule.priority,
      mark: rule.mark,
      markMask: rule.markMask,
      table,
      protocol: rule.protocol,
      goto: rule.goto,
      suppressPrefixLength: rule.suppressPrefixLength,
      ipProtocol: rule.ipProtocol,
      sourcePorts: rule.sourcePorts,
      destinationPorts: rule.destinationPorts,
    },
    rule.unknown,
  );
}

/** `undefined` for a rule of another family than IP. */
export function decodeRule(reader: Reader, start: number, end: number): Rule | undefined {
  requireHeader("rule", start, end, headerBytes);
  const { view } = reader;
  const family = view.getUint8(start);
  if (addressBytes(family) === 0) return undefined;
  const unknown = new Map<number, Uint8Array>();
  const values = ruleTable.decode(reader, start + headerBytes, end, unknown);
  const table = values.table ?? view.getUint8(start + 4);
  const tos = view.getUint8(start + 3);
  const suppressed = values.suppressPrefixLength;
  return {
    family: family === AF_INET ? "inet" : "inet6",
    priority: values.priority ?? 0,
    action: view.getUint8(start + 7),
    ...(table === 0 ? {} : { table }),
    ...(values.source === undefined ? {} : { source: `${values.source}/${view.getUint8(start + 2)}` }),
    ...(values.destination === undefined ? {} : { destination: `${values.destination}/${view.getUint8(start + 1)}` }),
    ...present("inputInterface", values.inputInterface),
    ...present("outputInterface", values.outputInterface),
    ...present("mark", values.mark),
    ...present("markMask", values.markMask),
    ...present("protocol", values.protocol),
    ...(tos === 0 ? {} : { tos }),
    ...((view.getUint32(start + 8, true) & INVERT) === 0 ? {} : { invert: true }),
    ...present("goto", values.goto),
    ...present("suppressPrefixLength", suppressed === NOTHING_SUPPRESSED ? undefined : suppressed),
    ...present("ipProtocol", values.ipProtocol),
    ...present("sourcePorts", values.sourcePorts),
    ...present("destinationPorts", values.destinationPorts),
    ...(unknown.size > 0 ? { unknown } : {}),
  };
}
