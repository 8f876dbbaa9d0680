import type { Dependency, InvalidField, KeyedValue } from "#core/scheduler/api/scheduler.js";
import type { Link } from "#plugins/netlink/index.js";
import type { Interface, InterfaceType } from "#proto/index.js";
import { interfaceAttachmentKey } from "../derived-keys.js";
import { hostNameOf } from "../host-name.js";
import type {
  FoundLink,
  FoundLinks,
  LinkContext,
  LinkField,
  LinkType,
  Membership,
  SharedSettings,
} from "../link-type.js";
import { removeLink } from "../links.js";
import { makeLink } from "../make-link.js";
import {
  type Attributes,
  decodeOptions,
  encodeChanged,
  encodeFixed,
  encodeNew,
  encodeOptions,
  type Options,
  sameAttributes,
} from "../options.js";

/** A type's own part of an interface. */
export type TypeOptions<F extends LinkField> = NonNullable<Interface[F]>;

/** The link that another one stands on: the Ethernet link of a VLAN, the underlay of a tunnel. */
export interface LowerLink<P> {
  /** The field of the part that has its logical name. */
  readonly field: keyof P & string;
  /** The attribute of the kind that has its index; left out: IFLA_LINK. */
  readonly attribute?: string;
}

/** A type whose links are made by one netlink request, described by data. */
export interface KernelLink<F extends LinkField> {
  readonly type: InterfaceType;
  readonly field: F;
  readonly kinds: readonly [string, ...string[]];
  /** Which of the kinds a value has. Default: the first. */
  kindOf?(part: TypeOptions<F>): string;
  readonly options: Options<TypeOptions<F>>;
  /** Fields that share attributes, or that the kernel takes together. */
  readonly shared?: {
    /** The kernel takes them when the link is made, and never again. */
    readonly fixed?: boolean;
    encode(part: TypeOptions<F>): Attributes;
    decode(attributes: Attributes): Partial<TypeOptions<F>>;
  };
  readonly lower?: LowerLink<TypeOptions<F>>;
  /** What of the part is not its own link's but the lower one's. */
  sharedWithLower?(part: TypeOptions<F>): SharedSettings;
  readonly movable?: boolean;
  readonly outsideVrfs?: boolean;
  /** The kernel's own MTU, or whose it is; left out: it depends on more than that. */
  readonly ownMtu?: number | "lower" | "smallest of the ports";
  readonly membership?: Membership;
  /** Why none of its links can be given a MAC address; `undefined` when they can. */
  withoutMac?(part: TypeOptions<F>): string | undefined;
  validate?(part: TypeOptions<F>, value: Interface): readonly InvalidField[];
  /** What it waits for besides its namespace and the lower link. */
  dependencies?(part: TypeOptions<F>): readonly Dependency[];
  /** What derives from its values besides what derives from every interface. */
  derivedValues?(part: TypeOptions<F>, value: Interface): readonly KeyedValue[];
  /** True when the change cannot be made in place, for another reason than a fixed option. */
  recreates?(before: TypeOptions<F>, after: TypeOptions<F>): boolean;
  /** What is to be done once the link is there. Whatever it throws fails the creation, and the link goes. */
  finish?(value: Interface, link: Link, context: LinkContext): Promise<void>;
  /** Does what the options cannot say mean the same? */
  same?(a: TypeOptions<F>, b: TypeOptions<F>): boolean;
  /** What is to be done after a change of the options. */
  change?(before: TypeOptions<F>, after: TypeOptions<F>, index: number, context: LinkContext): Promise<void>;
  /** What the options cannot say of a link. */
  decodeMore?(
    found: FoundLink,
    links: FoundLinks,
    expected: TypeOptions<F> | undefined,
  ): Promise<Partial<TypeOptions<F>>>;
}

/** ETH_DATA_LEN of linux/if_ether.h. */
export const ETHERNET_MTU = 1500;

/** Makes a {@link LinkType} of its description. */
export class KernelLinkType<F extends LinkField> implements LinkType {
  readonly type: InterfaceType;
  readonly field: F;
  readonly kinds: readonly string[];
  readonly movable: boolean;
  readonly outsideVrfs: boolean;
  readonly membership?: Membership;
  readonly defaultMtu?: NonNullable<LinkType["defaultMtu"]>;
  private readonly spec: KernelLink<F>;

  constructor(spec: KernelLink<F>) {
    this.spec = spec;
    this.type = spec.type;
    this.field = spec.field;
    this.kinds = spec.kinds;
    this.movable = spec.movable ?? false;
    this.outsideVrfs = spec.outsideVrfs ?? false;
    const { ownMtu } = spec;
    if (ownMtu !== undefined) this.defaultMtu = (value, context) => this.ownMtu(ownMtu, value, context);
    if (spec.membership !== undefined) this.membership = spec.membership;
  }

  withoutMac(value: Interface): string | undefined {
    return this.spec.withoutMac?.(this.part(value));
  }

  derivedValues(value: Interface): readonly KeyedValue[] {
    return this.spec.derivedValues?.(this.part(value), value) ?? [];
  }

  validate(value: Interface): readonly InvalidField[] {
    return this.spec.validate?.(this.part(value), value) ?? [];
  }

  dependencies(value: Interface): readonly Dependency[] {
    const name = this.lowerOf(value);
    const lower = name === "" ? [] : [{ label: `interface ${name}`, key: interfaceAttachmentKey(name) }];
    return [...lower, ...(this.spec.dependencies?.(this.part(value)) ?? [])];
  }

  async create(value: Interface, context: LinkContext): Promise<Link> {
    const { options, shared } = this.spec;
    const part = this.part(value);
    const name = this.lowerOf(value);
    const place = name === "" ? undefined : context.locationOf(name);
    const body = {
      kind: this.kind(value),
      data: { ...encodeNew(options, part), ...shared?.encode(part), ...this.standingOn(value, context) },
      ...(this.spec.lower?.attribute === undefined && place !== undefined ? { link: place.index } : {}),
    };
    const link = await makeLink(value, hostNameOf(value, this), body, context, place);
    try {
      await this.spec.finish?.(value, link, context);
    } catch (error) {
      await removeLink(context.handle, link.index);
      throw error;
    }
    return link;
  }

  shared(value: Interface): SharedSettings | undefined {
    return this.spec.sharedWithLower?.(this.part(value));
  }

  same(a: Interface, b: Interface): boolean {
    if (!sameAttributes(this.attributes(a), this.attributes(b))) return false;
    return this.spec.same?.(this.part(a), this.part(b)) ?? true;
  }

  recreates(before: Interface, after: Interface): boolean {
    const [was, is] = [this.fixed(before), this.fixed(after)];
    return (
      this.kind(before) !== this.kind(after) ||
      this.lowerOf(before) !== this.lowerOf(after) ||
      !sameAttributes(was, is) ||
      // What is not said any more is another choice, too.
      !sameAttributes(is, was) ||
      (this.spec.recreates?.(this.part(before), this.part(after)) ?? false)
    );
  }

  async update(before: Interface, after: Interface, index: number, context: LinkContext): Promise<void> {
    if (this.same(before, after)) return;
    const { options, shared } = this.spec;
    const data = {
      ...encodeChanged(options, this.part(before), this.part(after)),
      ...(shared?.fixed ? {} : shared?.encode(this.part(after))),
      ...this.standingOn(after, context),
    };
    await context.handle.linkSet({ index, kind: this.kind(after), data });
    await this.spec.change?.(this.part(before), this.part(after), index, context);
  }

  remove(_value: Interface, index: number, { handle }: LinkContext): Promise<void> {
    return removeLink(handle, index);
  }

  async decode(found: FoundLink, links: FoundLinks, expected: Interface | undefined): Promise<Partial<Interface>> {
    const { options, shared, lower, field } = this.spec;
    const data = found.link.data ?? {};
    const desired = expected && this.part(expected);
    const part = {
      ...decodeOptions(options, data, desired),
      ...shared?.decode(data),
      ...(await this.spec.decodeMore?.(found, links, desired)),
    };
    if (lower === undefined) return { [field]: part };
    const index = lower.attribute === undefined ? undefined : Number(data[lower.attribute] ?? 0);
    // Where nobody looked, nothing says that the lower link is another one than it should be.
    const name = (await links.linkedName(found, index)) ?? (expected && this.lowerOf(expected));
    return { [field]: name ? { ...part, [lower.field]: name } : part };
  }

  private async ownMtu(
    mtu: NonNullable<KernelLink<F>["ownMtu"]>,
    value: Interface,
    context: LinkContext,
  ): Promise<number> {
    if (typeof mtu === "number") return mtu;
    const { handle, index } = context.locationOf(mtu === "lower" ? this.lowerOf(value) : (value.name ?? ""));
    if (mtu === "lower") return (await handle.linkByIndex(index))?.mtu ?? ETHERNET_MTU;
    const ports = await handle.linkList({ master: index });
    return ports.length === 0 ? ETHERNET_MTU : Math.min(...ports.map((port) => port.mtu));
  }

  private part(value: Interface): TypeOptions<F> {
    return value[this.field] ?? {};
  }

  private attributes(value: Interface): Attributes {
    const { options, shared } = this.spec;
    const part = this.part(value);
    return { ...encodeOptions(options, part), ...shared?.encode(part) };
  }

  private fixed(value: Interface): Attributes {
    const { options, shared } = this.spec;
    const part = this.part(value);
    return { ...encodeFixed(options, part), ...(shared?.fixed ? shared.encode(part) : {}) };
  }

  private kind(value: Interface): string {
    return this.spec.kindOf?.(this.part(value)) ?? this.spec.kinds[0];
  }

  /** The attribute that says which link it stands on, for the kinds that have one. */
  private standingOn(value: Interface, context: LinkContext): Attributes {
    const attribute = this.spec.lower?.attribute;
    const name = this.lowerOf(value);
    return attribute === undefined || name === "" ? {} : { [attribute]: context.locationOf(name).index };
  }

  /** Logical name of the lower link; empty when there is none. */
  private lowerOf(value: Interface): string {
    const { lower } = this.spec;
    return lower === undefined ? "" : String(this.part(value)[lower.field] ?? "");
  }
}
