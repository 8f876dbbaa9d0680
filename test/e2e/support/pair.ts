import { addressesOf, type LinkView, link } from "#test/support/sandbox.js";
import type { Change } from "./bus.js";

export const INTERFACE = "config/linux/interfaces/v2/interface/";

/** The two ends of a veth pair: one in the agent's own network, the other in a named namespace. Names differ per test. */
export interface Pair {
  readonly near: End;
  readonly far: End & { readonly namespace: string };
}

interface End {
  readonly name: string;
  readonly key: string;
  readonly change: Change & { readonly value: Readonly<Record<string, unknown>> };
  readonly mtu: number;
  readonly mac: string;
  /** Sorted. */
  readonly addresses: readonly string[];
}

/** `id` is a number from 1 to 250 and a word of at most 8 letters for names. */
export function pairOf(word: string, id: number): Pair {
  const near = end(`${word}-near`, `${word}-far`, id, 1);
  const far = end(`${word}-far`, `${word}-near`, id, 2, word);
  return { near, far: { ...far, namespace: word } };
}

function end(name: string, peer: string, id: number, side: 1 | 2, namespace?: string): End {
  const addresses = [`10.77.${id}.${side}/24`, `fd77:${id}::${side}/64`];
  const mac = `02:77:00:00:${id.toString(16).padStart(2, "0")}:0${side}`;
  const mtu = 1400 + side;
  const key = `${INTERFACE}${name}`;
  const value = {
    name,
    type: "VETH",
    enabled: true,
    ...(namespace === undefined ? {} : { namespace: { type: "NSID", reference: namespace } }),
    ip_addresses: addresses,
    phys_address: mac,
    mtu,
    veth: { peer_if_name: peer },
  };
  return { name, key, change: { key, value }, mtu, mac, addresses };
}

export function changesOf(pair: Pair): readonly Change[] {
  return [pair.near.change, pair.far.change];
}

/** Both ends as the kernel has them; `undefined` where there is none. */
export async function inKernel(pair: Pair): Promise<{ near: LinkView | undefined; far: LinkView | undefined }> {
  const [near, far] = await Promise.all([
    link(pair.near.name),
    link(pair.far.name, { namespace: pair.far.namespace }).catch(() => undefined),
  ]);
  return { near, far };
}

/** What of a link the configuration speaks about. */
export function facts(view: LinkView | undefined): object | undefined {
  if (view === undefined) return undefined;
  return {
    kind: view.linkinfo?.info_kind,
    up: view.flags.includes("UP"),
    mtu: view.mtu,
    mac: view.address,
    addresses: addressesOf(view),
  };
}

/** {@link facts} of an end that is as configured. */
export function configured({ mtu, mac, addresses }: End): object {
  return { kind: "veth", up: true, mtu, mac, addresses };
}
