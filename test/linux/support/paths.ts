/** Pairs between namespaces, and packets over them. */
import type { Interface } from "#proto/index.js";
import { run } from "#test/support/sandbox.js";
import { type Desired, wantInterface } from "./network.js";

export const place = (reference: string) => ({ namespace: { type: "NSID", reference } }) as const;

/** One end of a pair, called `<from>-<to>`, in the namespace `from`. */
export function end(from: string, to: string, address: string, change: Partial<Interface> = {}): Desired {
  return wantInterface({
    name: `${from}-${to}`,
    type: "VETH",
    enabled: true,
    ...place(from),
    ip_addresses: [address],
    veth: { peer_if_name: `${to}-${from}` },
    ...change,
  });
}

export async function ping(namespace: string, address: string, ...options: readonly string[]): Promise<void> {
  await run(["ping", "-c1", "-W5", ...options, address], { namespace });
}
