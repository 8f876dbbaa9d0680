import { execFileSync } from "node:child_process";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import test from "ava";
import { Child } from "#test/support/child.js";
import { projectRoot } from "#test/support/project.js";

/** Lays out files and returns what scripts/check-words.mjs says about them. */
async function check(files: Readonly<Record<string, string>>): Promise<{ status: number | null; said: string }> {
  const root = await mkdtemp(join(tmpdir(), "tenuto-words-"));
  try {
    execFileSync("git", ["init", "--quiet", root]);
    for (const [file, text] of Object.entries(files)) {
      await mkdir(dirname(join(root, file)), { recursive: true });
      await writeFile(join(root, file), text);
    }
    const child = await Child.start([process.execPath, join(projectRoot, "scripts/check-words.mjs"), root]);
    const { code } = await child.exited;
    return { status: code, said: child.log.trim() };
  } finally {
    await rm(root, { recursive: true });
  }
}

test("retired words are found, with their lines and what to write instead; words of the kernel's are left alone", async (t) => {
  const { status, said } = await check({
    "core/a.ts": "const a = 1;\n/** What is wanted. */\n",
    "plugins/b.ts": "class B {\n  readonly #x = 1;\n}\n",
    "plugins/netlink/codec/ethtool.ts": "const wanted = 3;\n",
    "docs/c.md": "It leads nowhere.\n",
    "docs/d.md": "It is desired.\n",
  });
  t.is(status, 1);
  t.deepEqual(
    said.split("\n").map((line) => /^\S+/.exec(line)?.[0]),
    ["core/a.ts:2:", "docs/c.md:1:", "plugins/b.ts:2:"],
  );
  t.regex(said, /write desired/);
});
