import { readFileSync } from "node:fs";
import { join } from "node:path";
import test from "ava";
import { Reader, Writer } from "#plugins/netlink/codec/buffer.js";
import { decodeWireguard, encodeWireguard, joinWireguard } from "#plugins/netlink/codec/wireguard.js";
import type { WireguardDevice } from "#plugins/netlink/index.js";
import { projectRoot } from "#test/support/project.js";
import { addPair, openNamespace, openNetlink } from "./support.js";

/** Generic netlink: offloads over the family `ethtool`, and the messages of `wireguard`, which few kernels have. */

test("offloads are switched off and on, and read back", async (t) => {
  const netlink = await openNetlink(t);
  const namespace = await openNamespace(t, netlink, "offloads");
  const { index } = await addPair(namespace, "a");
  const before = await namespace.featureList(index);
  t.true(before.has("tx-checksum-ip-generic"));
  await namespace.featureSet(index, { "tx-checksum-ip-generic": false, "rx-checksum": false });
  const off = await namespace.featureList(index);
  t.false(off.has("tx-checksum-ip-generic") || off.has("rx-checksum"));
  await namespace.featureSet(index, { "tx-checksum-ip-generic": true, "rx-checksum": true });
  t.deepEqual(await namespace.featureList(index), before);
});

test("a refusal over generic netlink names link and reason", async (t) => {
  const netlink = await openNetlink(t);
  const namespace = await openNamespace(t, netlink, "refused");
  await t.throwsAsync(namespace.featureList(4711), {
    code: "ENODEV",
    message: /get offloads of link with index 4711: ENODEV/,
  });
  const { index } = await addPair(namespace, "b");
  await t.throwsAsync(namespace.featureSet(index, { "no-such-offload": true }), { code: "EOPNOTSUPP" });
});

test("the speed of a link is what its driver says, and a link that has none says so", async (t) => {
  const netlink = await openNetlink(t);
  const namespace = await openNamespace(t, netlink, "speeds");
  const { index } = await addPair(namespace, "d");
  // drivers/net/veth.c, veth_get_link_ksettings()
  t.is(await namespace.linkSpeed(index), 10_000);
  await t.throwsAsync(namespace.linkSpeed(1), { code: "EOPNOTSUPP" });
});

test("many requests over generic netlink leave together, each with its answer", async (t) => {
  const netlink = await openNetlink(t);
  const namespace = await openNamespace(t, netlink, "many");
  const { index } = await addPair(namespace, "c");
  const answers = await Promise.all(Array.from({ length: 200 }, () => namespace.featureList(index)));
  t.true(answers.every((each) => each.has("tx-checksum-ip-generic")));
});

const PRIVATE = "RCdhcHJlc0JpY2hlLEplU2VyYWlzTGFQbHVzQm9ubmU=";
const FIRST = "TGFHcm9zc2VCaWNoZV9DJ2VzdExhUGx1c0JlbGxlPDM=";
const SECOND = "RCdBcHJlc0JpY2hlLFZpdmVMZXNQcm9iaW90aXF1ZXM=";
const SHARED = "Pz8/V2FudFRvVHJ5TXlBZXJvR3Jvc3NlQmljaGU/Pz8=";

/** What wireguard-messages.py has pyroute2 say. */
const devices: Readonly<Record<string, WireguardDevice>> = {
  "keys, port and mark of a device": { linkIndex: 7, privateKey: PRIVATE, listenPort: 51820, fwMark: 0x1337 },
  "a peer with an IPv4 endpoint": {
    linkIndex: 7,
    peers: [
      {
        publicKey: FIRST,
        endpoint: { address: "192.0.2.1", port: 51820 },
        persistentKeepalive: 25,
        allowedIps: ["10.0.0.0/24", "198.51.100.7/32"],
      },
    ],
  },
  "a peer with an IPv6 endpoint and a shared secret": {
    linkIndex: 7,
    peers: [
      {
        publicKey: SECOND,
        presharedKey: SHARED,
        endpoint: { address: "2001:db8::1", port: 51821 },
        allowedIps: ["2001:db8:1::/48"],
      },
    ],
  },
  "the removal of a peer": { linkIndex: 7, peers: [{ publicKey: SECOND, remove: true }] },
};

/** Messages in hexadecimal digits, without their netlink header. */
const { messages }: { readonly messages: Readonly<Record<string, string>> } = JSON.parse(
  readFileSync(join(projectRoot, "test/netlink/wireguard-messages.json"), "utf8"),
);

/** Every attribute as `type=payload`, nested ones in braces and sorted: their order and the flags of their type say nothing. */
function attributesOf(bytes: Uint8Array, isNested: (type: string) => boolean, path = ""): string {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const found: string[] = [];
  for (let at = 0; at + 4 <= bytes.length; ) {
    const length = view.getUint16(at, true);
    const counted = path === "8" || path === "8.n.9";
    const type = `${path}${path === "" ? "" : "."}${counted ? "n" : view.getUint16(at + 2, true) & 0x3fff}`;
    const payload = bytes.subarray(at + 4, at + length);
    const nested = isNested(type);
    found.push(
      `${type}=${nested ? `{${attributesOf(payload, isNested, type)}}` : Buffer.from(payload).toString("hex")}`,
    );
    at += (length + 3) & ~3;
  }
  return found.sort().join(" ");
}

const NESTED = new Set(["8", "8.n", "8.n.9", "8.n.9.n"]);

for (const [what, device] of Object.entries(devices)) {
  test(`wireguard: ${what} is said as pyroute2 says it`, (t) => {
    const theirs = Buffer.from(messages[what] ?? "", "hex");
    const writer = new Writer();
    encodeWireguard(writer, device);
    const ours = writer.take();
    t.deepEqual(ours.subarray(0, 4), new Uint8Array(theirs.subarray(0, 4)));
    t.is(
      attributesOf(ours.subarray(4), (type) => NESTED.has(type)),
      attributesOf(theirs.subarray(4), (type) => NESTED.has(type)),
    );
    const read = decodeWireguard(new Reader(theirs), 0, theirs.length);
    const { peers = [], ...rest } = device;
    t.deepEqual(read, { ...rest, peers: peers.map(({ remove, ...peer }) => ({ allowedIps: [], ...peer })) });
  });
}

test("wireguard: a peer that a dump cuts in two is put together", (t) => {
  const part = (...allowedIps: string[]) => ({ linkIndex: 7, peers: [{ publicKey: FIRST, allowedIps }] });
  const joined = joinWireguard([{ ...part("10.0.0.0/8"), listenPort: 5 }, part("10.1.0.0/16", "10.2.0.0/16")]);
  t.deepEqual(joined, { ...part("10.0.0.0/8", "10.1.0.0/16", "10.2.0.0/16"), listenPort: 5 });
  t.is(joinWireguard([]), undefined);
});

test("wireguard: a kernel without it says so", async (t) => {
  const netlink = await openNetlink(t);
  const error = await netlink.default.wireguardGet(1).catch((thrown: Error) => thrown);
  if (!(error instanceof Error)) return t.pass("this kernel has it");
  t.regex(error.message, /wireguard.*(ENOENT|EOPNOTSUPP|ENODEV)/);
});
