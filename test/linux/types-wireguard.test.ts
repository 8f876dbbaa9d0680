import { mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "ava";
import { wireguard } from "#plugins/linux/interfaces/types/wireguard.js";
import type { NamespaceHandle, WireguardDevice } from "#plugins/netlink/index.js";
import { type Interface, interfaceKey, type WireguardLinkPeer } from "#proto/index.js";
import { hasKind } from "./support/kinds.js";
import { NetworkAgent, states, wantInterface } from "./support/network.js";

/**
 * WireGuard, which the kernels that tests run on do not have: what would be asked of one, and what its answers mean. The messages
 * themselves are held against another implementation's in test/netlink/generic.test.ts.
 */
const KEY = "RCdhcHJlc0JpY2hlLEplU2VyYWlzTGFQbHVzQm9ubmU=";
const FIRST = "TGFHcm9zc2VCaWNoZV9DJ2VzdExhUGx1c0JlbGxlPDM=";
const SECOND = "RCdBcHJlc0JpY2hlLFZpdmVMZXNQcm9iaW90aXF1ZXM=";
const SHARED = "Pz8/V2FudFRvVHJ5TXlBZXJvR3Jvc3NlQmljaGU/Pz8=";
const NO_KEY = Buffer.alloc(32).toString("base64");

let keys = "";
let shared = "";
test.before(async () => {
  const directory = await mkdtemp(join(tmpdir(), "tenuto-keys-"));
  keys = join(directory, "private");
  shared = join(directory, "shared");
  await writeFile(keys, `${KEY}\n`);
  await writeFile(shared, SHARED);
});

function tunnel(...peers: readonly WireguardLinkPeer[]): Interface & { readonly name: string } {
  return { name: "wg", type: "WIREGUARD", wireguard: { private_key_file: keys, listen_port: 51820, peers } };
}

const first = { public_key: FIRST, endpoint: "192.0.2.1:51820", allowed_ips: ["10.0.0.7/24"] } as const;
const second = { public_key: SECOND, endpoint: "[2001:DB8::1]:51821", persistent_keepalive: 25 } as const;

/** A namespace that keeps what is asked of its WireGuard device. */
function recording(device?: WireguardDevice): { readonly handle: NamespaceHandle; readonly asked: WireguardDevice[] } {
  const asked: WireguardDevice[] = [];
  const handle = {
    wireguardSet: async (request: WireguardDevice) => void asked.push(request),
    wireguardGet: async () => device,
  } as unknown as NamespaceHandle;
  return { handle, asked };
}

async function requestsOf(before: Interface, after: Interface): Promise<readonly WireguardDevice[]> {
  const { handle, asked } = recording();
  await wireguard.update?.(before, after, 7, { handle } as unknown as Parameters<
    NonNullable<typeof wireguard.update>
  >[3]);
  return asked;
}

test("a change asks for the device and its peers, and leaves peers that stay their sessions", async (t) => {
  const after = tunnel({ ...first, preshared_key_file: shared }, { public_key: SECOND, allowed_ips: ["fd00::1/64"] });
  t.deepEqual(await requestsOf(tunnel({ public_key: KEY }), after), [
    { linkIndex: 7, privateKey: KEY, listenPort: 51820, fwMark: 0 },
    { linkIndex: 7, peers: [{ publicKey: KEY, remove: true }] },
    {
      linkIndex: 7,
      peers: [
        {
          publicKey: FIRST,
          presharedKey: SHARED,
          endpoint: { address: "192.0.2.1", port: 51820 },
          persistentKeepalive: 0,
          allowedIps: ["10.0.0.0/24"],
        },
      ],
    },
    {
      linkIndex: 7,
      peers: [{ publicKey: SECOND, presharedKey: NO_KEY, persistentKeepalive: 0, allowedIps: ["fd00::/64"] }],
    },
  ]);
});

test("the same in other words is no change", async (t) => {
  const b = tunnel({ ...second, endpoint: "[2001:db8:0::1]:51821" }, { ...first, allowed_ips: ["10.0.0.0/24"] });
  t.deepEqual(await requestsOf(tunnel(first, second), b), []);
});

async function retrieved(device: WireguardDevice, expected: Interface): Promise<Interface> {
  const { handle } = recording(device);
  const found = { handle, link: { index: 7 } } as unknown as Parameters<NonNullable<typeof wireguard.decode>>[0];
  const none = { linkedName: async () => undefined, membersOf: () => [] };
  return { ...expected, ...(await wireguard.decode?.(found, none, expected)) };
}

const device: WireguardDevice = {
  linkIndex: 7,
  privateKey: KEY,
  listenPort: 51820,
  fwMark: 0,
  peers: [
    {
      publicKey: FIRST,
      presharedKey: NO_KEY,
      endpoint: { address: "198.51.100.9", port: 4000 },
      allowedIps: ["10.0.0.0/24"],
      persistentKeepalive: 0,
    },
  ],
};

test("what the kernel has is what was asked for, though the peer has moved", async (t) => {
  const wanted = tunnel(first);
  const found = await retrieved(device, wanted);
  t.true(wireguard.same?.(found, wanted));
  t.false(JSON.stringify(found).includes(KEY));
});

const differences: Readonly<Record<string, WireguardDevice>> = {
  "another private key": { ...device, privateKey: SECOND },
  "another port": { ...device, listenPort: 1 },
  "a mark": { ...device, fwMark: 5 },
  "no peer": { ...device, peers: [] },
  "one peer more": { ...device, peers: [...(device.peers ?? []), { publicKey: SECOND }] },
  "a shared secret": { ...device, peers: (device.peers ?? []).map((peer) => ({ ...peer, presharedKey: SHARED })) },
  "a network more": { ...device, peers: [{ publicKey: FIRST, allowedIps: ["10.0.0.0/24", "0.0.0.0/0"] }] },
};

for (const [what, found] of Object.entries(differences)) {
  test(`the kernel has ${what}: a difference`, async (t) => {
    const wanted = tunnel(first);
    t.false(wireguard.same?.(await retrieved(found, wanted), wanted));
  });
}

const invalid: readonly (readonly [part: Interface["wireguard"], problem: RegExp])[] = [
  [{}, /wireguard.private_key_file/],
  [{ private_key_file: "keys/private" }, /private_key_file.*absolute/],
  [{ private_key_file: "/k", peers: [{ public_key: "short" }] }, /peers\[0\].public_key.*"short"/],
  [{ private_key_file: "/k", peers: [{ public_key: FIRST }, { public_key: FIRST }] }, /peers\[1\].public_key.*another/],
  [{ private_key_file: "/k", peers: [{ public_key: FIRST, endpoint: "2001:db8::1:5" }] }, /peers\[0\].endpoint/],
  [{ private_key_file: "/k", peers: [{ public_key: FIRST, endpoint: "host:5" }] }, /peers\[0\].endpoint/],
  [{ private_key_file: "/k", peers: [{ public_key: FIRST, allowed_ips: ["10.0.0.1"] }] }, /allowed_ips\[0\]/],
];

for (const [part = {}, problem] of invalid) {
  test(`invalid: ${JSON.stringify(part)}`, (t) => {
    const problems = wireguard.validate?.({ name: "wg", type: "WIREGUARD", wireguard: part }) ?? [];
    t.regex(problems.map(({ field, problem: text }) => `${field} ${text}`).join("\n"), problem);
  });
}

test("a kernel without WireGuard refuses, and the error says which value it is about", async (t) => {
  if (hasKind("wireguard")) return t.pass("this kernel has it");
  const agent = await NetworkAgent.start("wireguard");
  const record = await agent.commit(wantInterface(tunnel(first)));
  t.regex(
    states(record)[interfaceKey("wg")] ?? "",
    /FAILED: .*interface\/wg: add link wg: EOPNOTSUPP.*Unknown device type/,
  );
  await agent.close();
});
