import { RTM_DELROUTE, RTM_NEWROUTE } from "../codec/constants.js";
import { addressOf, check, libc } from "./libc.js";

const SOL_SOCKET = 1;
const SO_ATTACH_FILTER = 26;
const SO_DETACH_FILTER = 27;

/** Opcodes of linux/filter.h: BPF_LD | BPF_H | BPF_ABS and so on. */
const LOAD_HALF = 0x28;
const LOAD_WORD = 0x20;
const JUMP_IF_EQUAL = 0x15;
const RETURN = 0x06;
/** Offsets in struct nlmsghdr. */
const TYPE = 4;
const PORT = 12;
const EVERYTHING = 0xffffffff;
const NOTHING = 0;

/** struct sock_filter: what to do, how many instructions to skip when true and when not, and the operand. */
export type Instruction = readonly [code: number, whenTrue: number, whenFalse: number, operand: number];

/** Classic BPF loads in network byte order, netlink is in the host's. */
function swapped16(value: number): number {
  return ((value & 0xff) << 8) | (value >>> 8);
}

function swapped32(value: number): number {
  return ((swapped16(value & 0xffff) << 16) | swapped16(value >>> 16)) >>> 0;
}

/** Drops RTM_NEWROUTE and RTM_DELROUTE that a request from this port caused: rtmsg_fib() gives them the port of the request. */
export function ignoringRoutesOf(port: number): readonly Instruction[] {
  return [
    [LOAD_HALF, 0, 0, TYPE],
    [JUMP_IF_EQUAL, 1, 0, swapped16(RTM_NEWROUTE)],
    [JUMP_IF_EQUAL, 0, 2, swapped16(RTM_DELROUTE)],
    [LOAD_WORD, 0, 0, PORT],
    [JUMP_IF_EQUAL, 1, 0, swapped32(port)],
    [RETURN, 0, 0, EVERYTHING],
    [RETURN, 0, 0, NOTHING],
  ];
}

/** Replaces the filter of a socket. */
export function attachFilter(fd: number, program: readonly Instruction[]): void {
  const code = new DataView(new ArrayBuffer(program.length * 8));
  for (const [index, [opcode, whenTrue, whenFalse, operand]] of program.entries()) {
    code.setUint16(index * 8, opcode, true);
    code.setUint8(index * 8 + 2, whenTrue);
    code.setUint8(index * 8 + 3, whenFalse);
    code.setUint32(index * 8 + 4, operand, true);
  }
  // struct sock_fprog: u16 length, padding, pointer. The kernel copies the code.
  const header = new DataView(new ArrayBuffer(16));
  header.setUint16(0, program.length, true);
  header.setBigUint64(8, addressOf(code.buffer), true);
  const option = new Int32Array(header.buffer);
  check("setsockopt", () => libc.setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, option, option.byteLength));
}

export function detachFilter(fd: number): void {
  check("setsockopt", () => libc.setsockopt(fd, SOL_SOCKET, SO_DETACH_FILTER, Int32Array.of(0), 4));
}
