import { mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "ava";
import { wireguard } from "#plugins/linux/interfaces/types/wireguard.js";
import { type Interface, interfaceKey } from "#proto/index.js";
import { run } from "#test/support/sandbox.js";
import { NetworkAgent, states, wantInterface } from "./support/network.js";

/** What of WireGuard needs no kernel that has it; the rest is in wireguard.machine.test.ts. */
const FIRST = "TGFHcm9zc2VCaWNoZV9DJ2VzdExhUGx1c0JlbGxlPDM=";

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
  const probe = run(["ip", "link", "add", "probe", "type", "wireguard"]);
  if ((await probe.then(() => "", String)) === "") return t.pass("this kernel has it");
  const keys = join(await mkdtemp(join(tmpdir(), "tenuto-keys-")), "private");
  await writeFile(keys, FIRST);
  const agent = await NetworkAgent.start("wireguard");
  const record = await agent.commit(
    wantInterface({ name: "wg", type: "WIREGUARD", wireguard: { private_key_file: keys } }),
  );
  t.regex(
    states(record)[interfaceKey("wg")] ?? "",
    /FAILED: .*interface\/wg: add link wg: EOPNOTSUPP.*Unknown device type/,
  );
  await agent.close();
});
