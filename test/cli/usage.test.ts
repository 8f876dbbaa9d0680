import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { type ExecutionContext } from "ava";
import { tenuto } from "#test/support/tenuto.js";

const COMMANDS = [
  ["agent"],
  ["apply"],
  ["plan"],
  ["confirm"],
  ["cancel"],
  ["get"],
  ["put"],
  ["delete"],
  ["dump"],
  ["diff"],
  ["status"],
  ["describe"],
  ["interfaces"],
  ["explain"],
  ["schema"],
  ["history"],
  ["graph"],
  ["watch"],
  ["resync"],
  ["flavors"],
  ["plugins"],
  ["completion"],
  ["config", "schema"],
  ["config", "check"],
];

test("every command's help shows an example of itself", async (t) => {
  await Promise.all(
    COMMANDS.map(async (command) => {
      const { status, stdout } = await tenuto([...command, "--help"]);
      const name = command.join(" ");
      t.is(status, 0, name);
      t.regex(stdout, new RegExp(`Example:\n(.*\n)*  \\$ tenuto ${name}`), name);
    }),
  );
});

test("tenuto alone lists every command", async (t) => {
  const { status, stdout } = await tenuto([]);
  t.is(status, 0);
  for (const [name = ""] of COMMANDS) t.regex(stdout, new RegExp(`^  ${name}\\b`, "m"), name);
});

test("the version is printed", async (t) => {
  t.regex((await tenuto(["--version"])).stdout, /^\d+\.\d+\.\d+\n$/);
});

const WRONG = [
  { command: "frobnicate", says: /unknown command 'frobnicate'/ },
  { command: "status --frobnicate", says: /unknown option '--frobnicate'/ },
  { command: "status --pending --failed", says: /cannot be used with/ },
  { command: "status -o xml", says: /table, json, yaml/ },
  { command: "status --timeout soon", says: /number of seconds/ },
  { command: "apply", says: /--file/ },
  { command: "confirm", says: /missing required argument 'id'/ },
  { command: "dump --view sideways", says: /nb, sb, cached/ },
  { command: "history soon", says: /not the sequence number/ },
  { command: "graph --format png", says: /dot, json, svg/ },
  { command: "watch weather", says: /interfaces, values, drift, transactions, ifmgr, health, deadletters/ },
  { command: "watch --count none", says: /positive number/ },
  { command: "status --nats nats://127.0.0.1:1", says: /--nats needs --label/ },
  { command: "agent --check --flavor nast", says: /no flavor "nast".*did you mean "nats"/ },
  { command: "agent --check --set nodot", says: /--set <section\.field=value\.\.\.>.*Expected section\.field=value/ },
  { command: "config check --set url=x", says: /Expected section\.field=value/ },
  { command: "-o xml status", says: /table, json, yaml/ },
  { command: "--label t1 flavors", says: /`tenuto flavors` has no option --label/ },
  { command: "-o json config check", says: /`tenuto config check` has no option --output/ },
];

for (const { command, says } of WRONG) {
  test(`\`tenuto ${command}\` is wrong usage`, async (t) => {
    const { status, stdout, stderr } = await tenuto(command.split(" "));
    t.is(status, 2);
    t.is(stdout, "");
    t.regex(stderr, says);
  });
}

const INTERFACE = "config/linux/interfaces/v2/interface/eth7";

/** What the message says behind the name of the file. */
const BAD_FILES = [
  { what: "neither YAML nor JSON", content: "a:\n  b: [1", says: /^:2: / },
  { what: "a word", content: "\nhello", says: /^:2: expected a transaction/ },
  { what: "no document of ours", content: "linuxConfig: {}\ninterfaces_: []", says: /^:2: interfaces_ / },
  { what: "wrong in its second document", content: "changes: []\n---\nnope: 1", says: /^:3: nope / },
  {
    what: "wrong in a field of a section",
    content: "linuxConfig:\n  interfaces:\n    - name: a\n    - name: b\n      mtu: many",
    says: /^:5: linuxConfig\.interfaces\[1\]\.mtu: expected a whole number, got "many"/,
  },
  {
    what: "wrong in a field, in the other spelling",
    content: "linuxConfig:\n  interfaces:\n    - name: a\n      ipAddresses: 7",
    says: /^:4: linuxConfig\.interfaces\[0\]\.ip_?[aA]ddresses: /,
  },
  {
    what: "wrong in the value of a change",
    content: `{"changes": [\n{"key": "${INTERFACE}",\n"value": {"name": "eth7", "veth": {\n"peer": 1}}}]}`,
    says: new RegExp(`^:4: ${INTERFACE}: veth\\.peer: no such field`),
  },
  {
    what: "wrong in a list of changes",
    content: `- key: ${INTERFACE}\n  delete: true\n- kee: x`,
    says: /^:3: .*changes\[1\]\.kee: no such field/,
  },
  {
    what: "about another interface than its key",
    content: `- key: ${INTERFACE}\n  value:\n    name: eth8`,
    says: new RegExp(`^:3: ${INTERFACE}: name`),
  },
];

async function badFile(t: ExecutionContext, content: string): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), "tenuto-usage-"));
  t.teardown(() => rm(directory, { recursive: true, force: true }));
  const path = join(directory, "bad.yaml");
  await writeFile(path, content);
  return path;
}

for (const { what, content, says } of BAD_FILES) {
  test(`a file that is ${what} is refused with file, line and field`, async (t) => {
    const path = await badFile(t, content);
    const { status, stdout, stderr } = await tenuto(["apply", "-f", path]);
    t.is(status, 1);
    t.is(stdout, "");
    t.true(stderr.startsWith(`tenuto: ${path}:`), stderr);
    t.regex(stderr.slice(`tenuto: ${path}`.length), says);
  });
}

test("put and diff refuse a bad file as apply does", async (t) => {
  const path = await badFile(t, "name: eth7\nmtu: many");
  const put = await tenuto(["put", INTERFACE, path]);
  t.is(put.status, 1);
  t.is(put.stderr, `tenuto: ${path}:2: ${INTERFACE}: mtu: expected a whole number, got "many"\n`);
  const diff = await tenuto(["diff", "-f", path]);
  t.is(diff.status, 1);
  t.regex(diff.stderr, /bad\.yaml:1: name /);
});

test("a file that cannot be read is a failure, not wrong usage", async (t) => {
  const { status, stderr } = await tenuto(["apply", "-f", "/nope.yaml"]);
  t.is(status, 1);
  t.regex(stderr, /^tenuto: cannot read \/nope\.yaml: ENOENT/);
});

const BEFORE = [
  { words: ["--socket", "/run/a.sock", "-o", "json", "get"], says: /\/run\/a\.sock/ },
  { words: ["--socket=/run/a.sock", "get"], says: /\/run\/a\.sock/ },
  { words: ["--label", "t1", "status"], says: /\/t1\.sock/ },
  { words: ["--label", "t1", "status", "--label", "t2"], says: /\/t2\.sock/ },
  { words: ["--nats", "nats://127.0.0.1:1", "--label", "t1", "--timeout", "5", "get"], says: /127\.0\.0\.1:1/ },
];

for (const { words, says } of BEFORE) {
  test(`\`tenuto ${words.join(" ")}\` asks the agent that is meant`, async (t) => {
    const { status, stderr } = await tenuto(words, { env: { TENUTO_LABEL: "t3" } });
    t.is(status, 1);
    t.regex(stderr, says);
  });
}

test("where no agent listens, the socket that was tried is named, and what to do", async (t) => {
  const { status, stderr } = await tenuto(["status", "--socket", "/run/nobody.sock"]);
  t.is(status, 1);
  t.regex(stderr, /no agent is listening on \/run\/nobody\.sock; start one with `tenuto agent`.*--socket/);
});
