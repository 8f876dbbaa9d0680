import { mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { type ExecutionContext } from "ava";
import type { Interface, WireguardLink, WireguardLinkPeer } from "#proto/index.js";
import { link, run } from "#test/support/sandbox.js";
import { type Desired, NetworkAgent, operations, states, wantInterface } from "./support/network.js";
import { end, ping, place } from "./support/paths.js";

/** WireGuard on a kernel that has it; wg(8) is the witness. What all types have in common is in types.machine.test.ts and the file after it. */
const FIRST = "TGFHcm9zc2VCaWNoZV9DJ2VzdExhUGx1c0JlbGxlPDM=";
const SECOND = "RCdBcHJlc0JpY2hlLFZpdmVMZXNQcm9iaW90aXF1ZXM=";

let agent: NetworkAgent;
let directory = "";
test.before(async () => {
  directory = await mkdtemp(join(tmpdir(), "tenuto-keys-"));
  agent = await NetworkAgent.start("wireguard");
});
test.afterEach.always(() => agent.resync());
test.after.always(() => agent.close());

/** A file with a key of its own. */
async function keyFile(name: string): Promise<string> {
  const path = join(directory, name);
  await writeFile(path, await run(["wg", "genkey"]), { mode: 0o600 });
  return path;
}

function publicKey(file: string): Promise<string> {
  return run(["sh", "-c", 'wg pubkey <"$1"', "sh", file]).then((key) => key.trim());
}

/** What `wg show <name> dump` prints: a line for the device and one for each peer, in columns. */
async function dump(name: string, namespace?: string): Promise<readonly (readonly string[])[]> {
  const lines = await run(["wg", "show", name, "dump"], namespace === undefined ? {} : { namespace });
  const [device = [], ...peers] = lines
    .trimEnd()
    .split("\n")
    .map((line) => line.split("\t"));
  return [device, ...peers.sort(([a = ""], [b = ""]) => (a < b ? -1 : 1))];
}

/** The columns of a peer that are configured, in the words of the model; the key itself instead of its file. */
function seenPeer([key, shared, endpoint, networks, , , , keepalive]: readonly string[]) {
  return { key, shared, endpoint, networks: networks?.split(",").sort().join(), keepalive };
}

function desiredPeer(peer: WireguardLinkPeer, shared = "(none)") {
  return {
    key: peer.public_key,
    shared: peer.preshared_key_file === undefined ? "(none)" : shared,
    endpoint: peer.endpoint ?? "(none)",
    networks: [...(peer.allowed_ips ?? [])].sort().join() || "(none)",
    keepalive: peer.persistent_keepalive ? String(peer.persistent_keepalive) : "off",
  };
}

const tunnel = (wireguard: WireguardLink, change: Partial<Interface> = {}): Desired =>
  wantInterface({ name: "wg", type: "WIREGUARD", enabled: true, wireguard, ...change });

/** The kernel has what the value says, and a resync plans nothing. */
async function holds(t: ExecutionContext, value: WireguardLink, shared: string): Promise<void> {
  const [device = [], ...peers] = await dump("wg");
  t.is(device[0], (await run(["cat", value.private_key_file ?? ""])).trim());
  if (value.listen_port !== undefined) t.is(device[2], String(value.listen_port));
  t.is(device[3], value.fw_mark === undefined ? "off" : `0x${value.fw_mark.toString(16)}`);
  const desired = (value.peers ?? []).map((peer) => desiredPeer(peer, shared));
  t.deepEqual(
    peers.map(seenPeer),
    desired.sort((a, b) => ((a.key ?? "") < (b.key ?? "") ? -1 : 1)),
  );
  t.deepEqual(operations(await agent.resync(tunnel(value))), []);
}

const first = { public_key: FIRST, endpoint: "192.0.2.1:51820", allowed_ips: ["10.0.0.0/24"] } as const;
const second = { public_key: SECOND, endpoint: "[2001:db8::1]:51821", persistent_keepalive: 25 } as const;

test.serial("every part of a device and its peers changes in place, back and forth", async (t) => {
  const [own, other, sharedFile] = [await keyFile("own"), await keyFile("other"), await keyFile("shared")];
  const shared = (await run(["cat", sharedFile])).trim();
  const base: WireguardLink = { private_key_file: own, peers: [first] };
  const changes: readonly WireguardLink[] = [
    { ...base, private_key_file: other },
    { ...base, listen_port: 51830 },
    { ...base, fw_mark: 0x51 },
    { ...base, peers: [] },
    { ...base, peers: [first, second] },
    { ...base, peers: [second] },
    { ...base, peers: [{ ...first, preshared_key_file: sharedFile }] },
    { ...base, peers: [{ ...first, allowed_ips: ["10.0.0.0/24", "fd00::/64", "0.0.0.0/0"] }] },
    { ...base, peers: [{ ...first, allowed_ips: [] }] },
    { ...base, peers: [{ ...first, endpoint: "[2001:db8::9]:1" }] },
    { ...base, peers: [{ ...first, persistent_keepalive: 1 }] },
  ];
  t.is((await agent.commit(tunnel(base))).error, "");
  await holds(t, base, shared);
  const index = (await link("wg"))?.ifindex;
  for (const change of changes) {
    for (const value of [change, base]) {
      const record = await agent.commit(tunnel(value));
      t.is(record.error, "", JSON.stringify(states(record)));
      await holds(t, value, shared);
    }
  }
  t.is((await link("wg"))?.ifindex, index);
});

test.serial("the same in other words is no change", async (t) => {
  const private_key_file = await keyFile("own");
  await agent.commit(tunnel({ private_key_file, peers: [first, second] }));
  const peers = [
    { ...second, endpoint: "[2001:DB8:0::1]:51821" },
    { ...first, allowed_ips: ["10.0.0.7/24"] },
  ];
  t.deepEqual(operations(await agent.resync(tunnel({ private_key_file, peers }))), []);
});

test.serial("what others change of a device or of its peers is put right by a resync", async (t) => {
  const private_key_file = await keyFile("own");
  const other = await keyFile("other");
  const value: WireguardLink = { private_key_file, listen_port: 51820, peers: [first] };
  const faults = [
    ["private-key", other],
    ["listen-port", "1"],
    ["fwmark", "5"],
    ["peer", FIRST, "remove"],
    ["peer", SECOND],
    ["peer", FIRST, "preshared-key", other],
    ["peer", FIRST, "allowed-ips", "10.0.0.0/24,0.0.0.0/0"],
    ["peer", FIRST, "persistent-keepalive", "9"],
  ];
  await agent.commit(tunnel(value));
  for (const fault of faults) {
    await run(["wg", "set", "wg", ...fault]);
    await agent.resync(tunnel(value));
    await holds(t, value, "");
  }
});

test.serial(
  "packets pass a tunnel between two namespaces, and a change leaves the session of a peer that stays",
  async (t) => {
    const [east, west] = [await keyFile("east"), await keyFile("west")];
    const [eastKey, westKey] = [await publicKey(east), await publicKey(west)];
    const side = (from: string, file: string, host: number, ...peers: readonly WireguardLinkPeer[]): Desired =>
      wantInterface({
        name: `wg-${from}`,
        type: "WIREGUARD",
        enabled: true,
        ...place(from),
        ip_addresses: [`10.97.0.${host}/24`],
        wireguard: { private_key_file: file, listen_port: 51820, peers },
      });
    const toWest = { public_key: westKey, endpoint: "10.87.0.2:51820", allowed_ips: ["10.97.0.2/32"] };
    const toEast = { public_key: eastKey, allowed_ips: ["10.97.0.1/32"] };
    const record = await agent.commit(
      end("east", "west", "10.87.0.1/24"),
      end("west", "east", "10.87.0.2/24"),
      side("east", east, 1, toWest),
      side("west", west, 2, toEast),
    );
    t.is(record.error, "", JSON.stringify(states(record)));
    await t.notThrowsAsync(ping("east", "10.97.0.2"));
    const session = async () => (await dump("wg-west", "west")).find(([key]) => key === eastKey)?.slice(0, 5);
    const before = await session();
    t.not(before?.[4], "0", "there was a handshake");
    const changed = await agent.commit(side("west", west, 2, toEast, { ...first, allowed_ips: ["10.98.0.0/16"] }));
    t.is(changed.error, "", JSON.stringify(states(changed)));
    t.deepEqual(await session(), before);
    await t.notThrowsAsync(ping("west", "10.97.0.1"));
  },
);

test.serial("no key is in what the agent says that it found", async (t) => {
  const private_key_file = await keyFile("own");
  const key = (await run(["cat", private_key_file])).trim();
  await agent.commit(tunnel({ private_key_file, peers: [{ ...first, preshared_key_file: private_key_file }] }));
  const read = JSON.stringify(await agent.scheduler.dump("southbound", "config/linux/interfaces/"));
  t.true(read.includes(private_key_file));
  t.false(read.includes(key));
});
