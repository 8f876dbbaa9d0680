import { mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "ava";
import { readKey } from "#plugins/linux/interfaces/types/wireguard-keys.js";
import { interfaceKey } from "#proto/index.js";
import { mountHungFileSystem, whyNoHungFileSystem } from "#test/support/hung-file-system.js";
import { link, run } from "#test/support/sandbox.js";
import { NetworkAgent, wantInterface } from "./support/network.js";

const KEY = "RCdhcHJlc0JpY2hlLEplU2VyYWlzTGFQbHVzQm9ubmU=";

test("a key is read from a regular file of a reasonable size only, and its content is told to nobody", async (t) => {
  const directory = await mkdtemp(join(tmpdir(), "tenuto-keys-"));
  const file = async (name: string, content: string, mode = 0o600) => {
    await writeFile(join(directory, name), content);
    await run(["chmod", mode.toString(8), join(directory, name)]);
    return join(directory, name);
  };
  const good = await file("good", `\n${KEY}\n`);
  await run(["mkfifo", join(directory, "fifo")]);
  await run(["ln", "-s", good, join(directory, "link")]);
  await run(["truncate", "--size", "3G", join(directory, "sparse")]);
  t.is(await readKey(good, "private_key_file"), KEY);
  t.is(await readKey(join(directory, "link"), "private_key_file"), KEY);
  for (const [path, code, message] of [
    [join(directory, "fifo"), "EINVAL", /fifo is a FIFO, expected a regular file/],
    ["/dev/zero", "EINVAL", /zero is a device, expected a regular file/],
    [directory, "EINVAL", /is a directory/],
    [join(directory, "sparse"), "EFBIG", /sparse is larger than 4096 bytes/],
    ["/proc/kallsyms", "EFBIG", /is larger than 4096 bytes/],
    [await file("open", KEY, 0o646), "EACCES", /anybody can write it; take that away: chmod o-w/],
    [await file("other", "s3cret"), "EINVAL", /^(?!.*s3cret).*holds no key/],
    [join(directory, "missing"), "ENOENT", /missing: no such file/],
  ] as const) {
    await t.throwsAsync(readKey(path, "private_key_file"), { code, message });
  }
});

const hung = whyNoHungFileSystem() === undefined ? test : test.skip;

hung("references to a file system that does not answer fail, and everything else goes on", async (t) => {
  const end = mountHungFileSystem("/run/hung");
  const agent = await NetworkAgent.start("hung");
  t.teardown(async () => {
    await agent.resync();
    await agent.close();
  });
  try {
    const names = ["one", "two", "three", "four", "five", "six"];
    const stuck = agent.commit(
      ...names.map((name) =>
        wantInterface({ name, type: "DUMMY", namespace: { type: "FD", reference: `/run/hung/${name}` } }),
      ),
    );
    const key = t.throwsAsync(readKey("/run/hung/key", "private_key_file"), { code: "ETIMEDOUT" });
    await writeFile("/run/answers", "");
    await stuck;
    for (const name of names) {
      t.regex(
        agent.status(interfaceKey(name)).error,
        /namespace\.reference: .*the file system of \/run\/hung\/\S+ has not answered for 5000 ms/,
      );
    }
    await key;
    t.is(
      (
        await agent.commit(
          wantInterface({ name: "free", type: "VETH", veth: { peer_if_name: "free2" } }),
          wantInterface({ name: "free2", type: "VETH", veth: { peer_if_name: "free" } }),
        )
      ).error,
      "",
    );
    t.truthy(await link("free"));
  } finally {
    end();
  }
});
