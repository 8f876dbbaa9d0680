import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import module from "node:module";
import test from "ava";
import "#test/support/sandbox.js";
import { tenuto } from "#test/support/tenuto.js";

const directory = "/var/cache/tenuto";

test.before("an empty /var/cache, in this file's mount namespace", () => {
  execFileSync("mount", ["-t", "tmpfs", "tmpfs", "/var/cache"]);
});

test.serial("compiled code is not kept when Node is told so", async (t) => {
  t.is((await tenuto(["--version"], { env: { NODE_DISABLE_COMPILE_CACHE: "1" } })).status, 0);
  t.false(existsSync(directory));
});

test.serial("compiled code is kept in a directory of root's own, if Node can do that", async (t) => {
  t.is((await tenuto(["--version"], { env: { NODE_DISABLE_COMPILE_CACHE: undefined } })).status, 0);
  t.is(existsSync(directory), "enableCompileCache" in module);
});
