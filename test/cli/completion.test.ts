/** What a shell offers while a command line is typed. */
import { execFileSync } from "node:child_process";
import test from "ava";
import { candidates, type Names } from "#cli/commands/completion.js";
import { interfaceChange, KEY, localAgent } from "#test/http/local-agent.js";
import { projectRoot } from "#test/support/project.js";
import { tenuto } from "#test/support/tenuto.js";

const names: Names = async ({ kind, prefix }) => [`${kind} ${prefix}`];

const CASES = [
  { line: "sta", offers: ["status"] },
  { line: "status --pen", offers: ["--pending"] },
  { line: "status -o ", offers: ["table", "json", "yaml"] },
  { line: "--label t1 status -o y", offers: ["yaml"] },
  { line: "delete --socket /run/x config/a", offers: ["key config/a"] },
  { line: "delete config/a config/b", offers: ["key config/b"] },
  { line: "dump --view s", offers: ["sb"] },
  { line: "interfaces up", offers: ["name up"] },
  { line: "explain ru", offers: ["rule"] },
  { line: "config sch", offers: ["schema"] },
  { line: "completion ", offers: ["bash", "zsh", "fish"] },
  // Files are the shell's.
  { line: "apply -f ", offers: [] },
  { line: "nothing like this", offers: [] },
];

for (const { line, offers } of CASES) {
  test(`after \`tenuto ${line}\` comes ${offers.join(", ") || "nothing of ours"}`, async (t) => {
    t.deepEqual(await candidates(line.split(" "), names), offers);
  });
}

test("the keys come from the agent that the command line means", async (t) => {
  const agent = await localAgent(t);
  await agent.send("POST", "/v1/transactions", { changes: [interfaceChange("eth7")] });
  const { stdout } = await tenuto(["complete", "--", "get", "--socket", agent.socket, KEY]);
  t.is(stdout, `${KEY}eth7\n`);
  const nobody = await tenuto(["complete", "--", "get", "--socket", "/run/nobody.sock", KEY]);
  t.like(nobody, { status: 0, stdout: "", stderr: "" });
});

test("bash completes with the script", async (t) => {
  const { stdout } = await tenuto(["completion", "bash"]);
  const program = `tenuto() { ${process.execPath} ${projectRoot}/dist/cli/tenuto.js "$@"; }
COMP_WORDS=(tenuto status --pen) COMP_CWORD=2; _tenuto; echo "\${COMPREPLY[@]}"`;
  t.is(execFileSync("bash", ["-c", `${stdout}\n${program}`], { encoding: "utf8" }), "--pending\n");
});
