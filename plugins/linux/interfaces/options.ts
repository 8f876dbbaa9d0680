import { isDeepStrictEqual } from "node:util";

/** Attributes of a link by their names in the netlink client. */
export type Attributes = Readonly<Record<string, unknown>>;

/** How one field of a type's own part becomes attributes of its link, and back. */
export interface Option<V> {
  /** The kernel takes it when the link is made, and never again. */
  readonly fixed?: boolean;
  /** The default is not the kernel's: it has to be said. */
  readonly ours?: boolean;
  /** What to send; nothing of what is left to the kernel. */
  encode(value: V | undefined): Attributes;
  /** What to send for a change, where that is not what to send for a new link. */
  encodeChange?(before: V | undefined, after: V | undefined): Attributes;
  /** `undefined` for the default. `expected` is told where the kernel keeps it in a form that is less exact. */
  decode(attributes: Attributes, expected?: V): V | undefined;
}

export type Options<T> = { readonly [F in keyof T]?: Option<NonNullable<T[F]>> };

type AnyOptions = Readonly<Record<string, Option<unknown>>>;

/** The attributes that a part stands for, with the defaults of what it leaves out. */
export function encodeOptions<T extends object>(options: Options<T>, part: T): Attributes {
  return encode(options, part, () => true);
}

/** Those of them that the kernel takes only once. */
export function encodeFixed<T extends object>(options: Options<T>, part: T): Attributes {
  return encode(options, part, ({ fixed = false }) => fixed);
}

/** What to say of a new link. Not the kernel's defaults: it refuses even those for a feature that it was built without. */
export function encodeNew<T extends object>(options: Options<T>, part: T): Attributes {
  return encode(options, part, ({ ours = false }, field) => ours || field in part);
}

/** What to say of a link made from `before` so that it is what `after` says. */
export function encodeChanged<T extends object>(options: Options<T>, before: T, after: T): Attributes {
  const [old, desired] = [before, after] as Readonly<Record<string, unknown>>[];
  const attributes: Record<string, unknown> = {};
  for (const [field, option] of Object.entries(options as AnyOptions)) {
    const [was, is] = [option.encode(old?.[field]), option.encode(desired?.[field])];
    if (option.fixed || sameAttributes(was, is)) continue;
    Object.assign(attributes, option.encodeChange?.(old?.[field], desired?.[field]) ?? is);
  }
  return attributes;
}

/** The part that a link's attributes stand for. `expected` is what the link should be, if anybody knows. */
export function decodeOptions<T extends object>(
  options: Options<T>,
  attributes: Attributes,
  expected?: Partial<T>,
): Partial<T> {
  const part: Record<string, unknown> = {};
  const asked = expected as Readonly<Record<string, unknown>> | undefined;
  for (const [field, option] of Object.entries(options as AnyOptions)) {
    const value = option.decode(attributes, asked?.[field]);
    if (value !== undefined) part[field] = value;
  }
  return part as Partial<T>;
}

/** Does `a` have what `b` asks for? What `b` leaves to the kernel may be anything. */
export function sameAttributes(a: Attributes, b: Attributes): boolean {
  return Object.entries(b).every(([name, value]) => isDeepStrictEqual(value, a[name]));
}

function encode<T extends object>(
  options: Options<T>,
  part: T,
  takes: (option: Option<unknown>, field: string) => boolean,
): Attributes {
  const values = part as Readonly<Record<string, unknown>>;
  const attributes: Record<string, unknown> = {};
  for (const [field, option] of Object.entries(options as AnyOptions)) {
    if (takes(option, field)) Object.assign(attributes, option.encode(values[field]));
  }
  return attributes;
}

interface NumberOptions {
  readonly fixed?: boolean;
  readonly ours?: boolean;
  /** What a part that leaves the field out (or gives 0) gets; without one that is the kernel's choice. */
  readonly default?: number;
  /** 0 is a value like any other. */
  readonly zero?: boolean;
  /** Kernel units in one of ours. */
  readonly scale?: number;
  /** A time, which the kernel rounds down to its own clock ticks: it may tell one unit less than it was given. */
  readonly ticks?: boolean;
  /** The attribute has 64 bits. */
  readonly wide?: boolean;
}

export function number(attribute: string, options: NumberOptions = {}): Option<number> {
  const {
    fixed = false,
    ours = false,
    default: initial,
    zero = false,
    scale = 1,
    ticks = false,
    wide = false,
  } = options;
  const unitsOf = (value: number | undefined): number | undefined => {
    const chosen = value === undefined || (value === 0 && !zero) ? initial : value;
    return chosen === undefined ? undefined : Math.round(chosen * scale);
  };
  return {
    fixed,
    ours,
    encode(value) {
      const units = unitsOf(value);
      return units === undefined ? {} : { [attribute]: wide ? BigInt(units) : units };
    },
    decode(attributes, expected) {
      const found = attributes[attribute];
      const value = typeof found === "bigint" ? Number(found) : found;
      if (typeof value !== "number") return undefined;
      if (ticks && value + 1 === unitsOf(expected)) return expected;
      return value / scale === initial ? undefined : value / scale;
    },
  };
}

export function boolean(
  attribute: string,
  options: { readonly fixed?: boolean; readonly ours?: boolean; readonly default?: boolean } = {},
): Option<boolean> {
  const { fixed = false, ours = false, default: initial = false } = options;
  return {
    fixed,
    ours,
    encode: (value = initial) => ({ [attribute]: value }),
    decode: ({ [attribute]: value }) => (typeof value !== "boolean" || value === initial ? undefined : value),
  };
}

/** A list of texts in one attribute. */
export function texts(attribute: string): Option<readonly string[]> {
  return {
    encode: (value = []) => ({ [attribute]: value.map((each) => each.toLowerCase()) }),
    decode({ [attribute]: found }) {
      return Array.isArray(found) && found.length > 0 ? found : undefined;
    },
  };
}

/** An attribute that is there, or not. */
export function presence(attribute: string): Option<boolean> {
  return {
    fixed: true,
    encode: (value) => (value ? { [attribute]: true } : {}),
    decode: ({ [attribute]: value }) => (value === true ? true : undefined),
  };
}

/** One of a few names, each with the kernel's number. The first is the default. */
export function choice<N extends string>(
  attribute: string,
  numbers: Readonly<Record<N, number>>,
  { fixed = false, ours = false }: { readonly fixed?: boolean; readonly ours?: boolean } = {},
): Option<N> {
  const names = Object.keys(numbers) as N[];
  const [first] = names;
  return {
    fixed,
    ours,
    encode(value) {
      const name = value ?? first;
      return name === undefined ? {} : { [attribute]: numbers[name] };
    },
    decode({ [attribute]: value }) {
      const name = names.find((each) => numbers[each] === value);
      return name === first ? undefined : name;
    },
  };
}

/** An address, in one attribute for IPv4 and in another one for IPv6. Left out: any. */
export function address(ipv4: string, ipv6: string, { fixed = false } = {}): Option<string> {
  return {
    fixed,
    encode: (value) => (value ? { [value.includes(":") ? ipv6 : ipv4]: value } : {}),
    decode({ [ipv4]: first, [ipv6]: second }) {
      const found = first ?? second;
      return typeof found !== "string" || found === "0.0.0.0" || found === "::" ? undefined : found;
    },
  };
}
