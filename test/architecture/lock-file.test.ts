import { readFileSync } from "node:fs";
import { join } from "node:path";
import test from "ava";
import { projectRoot } from "#test/support/project.js";

interface Lock {
  lockfileVersion: number;
  packages: Record<string, Record<string, unknown>>;
}

const { auditLock } = (await import(join(projectRoot, "scripts/audit-lock.mjs"))) as {
  readonly auditLock: (lock: Lock, allowScripts: object) => readonly string[];
};
const lock = JSON.parse(readFileSync(join(projectRoot, "package-lock.json"), "utf8")) as Lock;
const { allowScripts } = JSON.parse(readFileSync(join(projectRoot, "package.json"), "utf8")) as {
  readonly allowScripts: object;
};

test("the lock file stands its audit", (t) => {
  t.deepEqual(auditLock(lock, allowScripts), []);
});

const FAULTS: readonly (readonly [title: string, change: object, finding: RegExp])[] = [
  ["without a digest", { integrity: undefined }, /no SHA-512 digest/],
  ["with a weak digest", { integrity: "sha1-2jmj7l5rSw0yVb/vlWAYkK/YBwk=" }, /no SHA-512 digest/],
  ["from a host", { resolved: "https://registry.example/zod.tgz" }, /comes from https:/],
  ["from git", { resolved: "git+ssh://git@git.example/zod.git#abc" }, /comes from git/],
  ["from another folder", { link: true }, /a link to another folder/],
  ["with an install script that nobody spoke of", { hasInstallScript: true }, /has an install script/],
  ["without a licence", { license: undefined }, /names no licence/],
  ["with a licence that is not on the list", { license: "SSPL-1.0" }, /licence SSPL-1.0/],
  ["with a choice of two that are not", { license: "(GPL-3.0 OR AGPL-3.0)" }, /not on the list/],
  ["that wants another from git", { dependencies: { other: "github:someone/other" } }, /wants other from github/],
  [
    "that wants another from an address",
    { dependencies: { other: "https://a.example/o.tgz" } },
    /wants other from https/,
  ],
];

for (const [title, change, finding] of FAULTS) {
  test(`a package ${title} is found`, (t) => {
    const packages = { ...lock.packages, "node_modules/zod": { ...lock.packages["node_modules/zod"], ...change } };
    const findings = auditLock({ ...lock, packages }, allowScripts);
    t.is(findings.length, 1);
    t.regex(findings[0]!, finding);
    t.regex(findings[0]!, /^node_modules\/zod: /);
  });
}
