import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import ava, { type ExecutionContext } from "ava";
import type { KeyValue, TransactionResult, ValueStatus } from "#client/types.js";
import { agentProcess } from "#test/support/agent-process.js";
import { startNats } from "#test/support/brokers.js";
import { Child } from "#test/support/child.js";
import { eventually } from "#test/support/eventually.js";
import { tenutoProgram } from "#test/support/project.js";
import { addressesOf, link, run } from "#test/support/sandbox.js";
import { type CommandResult, tenuto } from "#test/support/tenuto.js";

/** One after the other: every test starts programs, and all of them at once would starve each other. */
const test = ava.serial;

const PREFIX = "config/linux/interfaces/v2/interface/";

/** A veth pair between the agent's namespace and one of its own. Names differ by test: they share a network. */
function pair(name: string): string {
  return JSON.stringify({
    linuxConfig: {
      interfaces: [
        {
          name: `${name}a`,
          type: "VETH",
          enabled: true,
          ip_addresses: ["10.7.0.1/24"],
          veth: { peer_if_name: `${name}b` },
        },
        {
          name: `${name}b`,
          type: "VETH",
          enabled: true,
          namespace: { type: "NSID", reference: name },
          veth: { peer_if_name: `${name}a` },
        },
      ],
    },
  });
}

async function configurationFile(t: ExecutionContext, content: string): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), "tenuto-agent-test-"));
  t.teardown(() => rm(directory, { recursive: true, force: true }));
  const path = join(directory, "tenuto.yaml");
  await writeFile(path, content);
  return path;
}

test("over the local socket, a file becomes interfaces in the kernel", async (t) => {
  const agent = await agentProcess({ label: "local" });
  t.teardown(() => agent.stop());
  const applied = await agent.tenuto(["apply", "-f", "-"], { input: pair("cl") });
  t.is(applied.status, 0, applied.stderr);
  t.regex(applied.stdout, /^\+ .*cla$/m);
  t.regex(applied.stdout, /^APPLIED as transaction \d+: 2 created$/m);
  const found = await link("cla");
  t.true(found !== undefined && addressesOf(found).includes("10.7.0.1/24"));
  t.is((await agent.tenuto(["diff"])).stdout, "no difference\n");
  const interfaces = await eventually(async () => {
    const { stdout } = await agent.tenuto(["interfaces"]);
    return stdout.includes("up/up") && stdout;
  });
  t.regex(interfaces, /^cla +veth +up\/up +1500 .*10\.7\.0\.1\/24/m);
  const described = (await agent.tenuto(["describe", `${PREFIX}cla`])).stdout;
  t.regex(described, /^state: CONFIGURED since \S+Z\n\ndesired:\n {2}name: cla\n/m);
  t.regex(
    described,
    /^found:\n {2}as desired\n\ndepends on:\n {2}KEY.*\n(.*\n)+what depends on it:\n {2}KEY.*\n {2}\S+clb /m,
  );
  t.regex(described, /^latest operations:\n {2}SEQ .*\n {2}\d+ +\S+Z +CREATE +CONFIGURED/m);

  t.is((await agent.tenuto(["delete", `${PREFIX}clb`])).status, 0);
  t.is(await link("cla"), undefined);
  const pending = await agent.tenuto(["status", "--pending", "-o", "json"]);
  t.deepEqual(
    (JSON.parse(pending.stdout) as readonly ValueStatus[]).map(({ key }) => key),
    [`${PREFIX}cla`],
  );
  const waits = (await agent.tenuto(["describe", `${PREFIX}cla`])).stdout;
  t.regex(waits, /^state: PENDING since .*\nwaits for: .*clb/m);
  t.regex(waits, /^found:\n {2}it is not there$/m);
  t.like(await agent.tenuto(["describe", `${PREFIX}nope`]), { status: 1, stdout: "" });
});

const ROUTE = "config/linux/l3/v2/route/10.9.0.0/16/cda";

test("what is written differently and means the same to the agent is no difference, and what does not is", async (t) => {
  const agent = await agentProcess({ label: "different", args: ["--set", "linux-drift.policy=report"] });
  t.teardown(() => agent.stop());
  const { linuxConfig } = JSON.parse(pair("cd"));
  const [end, ...others] = linuxConfig.interfaces;
  const route = { dst_network: "10.9.0.0/16", outgoing_interface: "cda", gw_addr: "10.7.0.2", scope: "GLOBAL" };
  const file = (first: object, only: object): string =>
    JSON.stringify({ linuxConfig: { interfaces: [{ ...end, ...first }, ...others], routes: [only] } });
  const diff = async (input: string): Promise<string> => (await agent.tenuto(["diff", "-f", "-"], { input })).stdout;

  const { status, stderr } = await agent.tenuto(["apply", "-f", "-"], { input: file({}, route) });
  t.is(status, 0, stderr);
  t.is((await agent.tenuto(["diff"])).stdout, "no difference\n");
  const { scope: _, ...unscoped } = route;
  t.is(await diff(file({}, unscoped)), "no difference\n");
  t.is(
    await diff(file({ enabled: false, ip_addresses: [] }, { ...unscoped, mtu: 1300 })),
    `~ ${PREFIX}cda\n    enabled: nothing, found true\n    ip_addresses: nothing, found ["10.7.0.1/24"]\n` +
      `~ ${ROUTE}\n    mtu: 1300, found nothing\n    scope: nothing, found "GLOBAL"\n`,
  );
  // nmstate#2742: what the kernel has differs, whether or not it is to be repaired.
  await run(["ip", "link", "set", "dev", "cda", "mtu", "1300", "down"]);
  await eventually(async () => (await agent.tenuto(["status"])).stdout.includes("changed by somebody else"));
  t.regex((await agent.tenuto(["diff"])).stdout, /~ .*interface\/cda\n {4}enabled: true, found nothing/);
});

test("over NATS, every command does what it does over the local socket", async (t) => {
  const nats = await startNats();
  t.teardown(() => nats.stop());
  const agent = await agentProcess({ label: "remote", flavor: "nats", args: ["--nats", nats.url] });
  t.teardown(() => agent.stop());
  const there = (command: string, input?: string): Promise<CommandResult> =>
    tenuto([...command.split(" "), "--nats", nats.url, "--label", "remote"], input === undefined ? {} : { input });

  const applied = await eventually(
    async () => {
      const result = await there("apply -f - -o json", pair("cn"));
      return result.status === 0 && result;
    },
    { what: "the agent to answer over NATS" },
  );
  t.is((JSON.parse(applied.stdout) as TransactionResult).outcome, "APPLIED");
  t.regex((await there(`status ${PREFIX}cna`)).stdout, /cna +CONFIGURED/);
  t.regex((await there("history")).stdout, /APPLIED/);
  t.is((await there("diff")).stdout, "no difference\n");
  t.deepEqual(
    (JSON.parse((await there("get -o json")).stdout) as readonly KeyValue[]).map(({ key }) => key),
    [`${PREFIX}cna`, `${PREFIX}cnb`],
  );
  t.regex((await there("graph")).stdout, /^digraph .*\n.*cna/s);
  t.regex((await there("watch interfaces --count 1")).stdout, /cn[ab]|lo/);
  t.is((await there("resync --downstream")).status, 0);

  const nobody = await tenuto(["status", "--nats", nats.url, "--label", "nobody", "--timeout", "5"]);
  t.is(nobody.status, 1);
  t.regex(nobody.stderr, /nobody/);
});

test("where no NATS server is, commands say so", async (t) => {
  const { status, stderr } = await tenuto(["status", "--nats", "nats://127.0.0.1:1", "--label", "x", "--timeout", "5"]);
  t.is(status, 1);
  t.regex(stderr, /127\.0\.0\.1:1/);
});

test("an agent ends well on SIGINT, and says when it was ready", async (t) => {
  const child = await Child.start([
    ...tenutoProgram,
    "agent",
    "--label",
    "interrupted",
    "--set",
    "http.tcp.enabled=false",
  ]);
  t.teardown(() => child.stop());
  await eventually(() => child.log.includes('"started"'), { what: "the agent to be ready" });
  process.kill(child.pid, "SIGINT");
  t.deepEqual(await child.exited, { code: 0, signal: null });
});

test("an agent that cannot start ends with 1 and names plugin, step and reason", async (t) => {
  const file = await configurationFile(t, "x: y\n");
  const { status, stderr } = await tenuto(["agent", "--set", `http.socket=${file}`, "--set", "store.enabled=false"]);
  t.is(status, 1);
  t.regex(stderr, /plugin http: afterInit failed: .*is not a socket/);
});

const CHECKS = [
  { what: "a good configuration", yaml: "http: {socket_mode: '0600'}\n", arguments: [], status: 0, says: /is good/ },
  {
    what: "a flavor in the file",
    yaml: "flavor: nats\nnats: {url: 'nats://n:4222'}\n",
    arguments: [],
    status: 0,
    says: /flavor nats/,
  },
  { what: "--nats", yaml: "", arguments: ["--nats", "nats://n:4222"], status: 0, says: /flavor nats/ },
  { what: "an unknown section", yaml: "htpp: {}\n", arguments: [], status: 1, says: /htpp.*http/ },
  { what: "a bad value", yaml: "http: {socket_mode: '999'}\n", arguments: [], status: 1, says: /http\.socket_mode/ },
  { what: "a bad --set", yaml: "", arguments: ["--set", "http.tcp.port=many"], status: 1, says: /http\.tcp\.port/ },
  { what: "an unknown flavor", yaml: "", arguments: ["--flavor", "vanilla"], status: 2, says: /vanilla.*embedded/ },
  { what: "no YAML", yaml: "a: [1", arguments: [], status: 1, says: /tenuto\.yaml: / },
];

for (const { what, yaml, arguments: more, status, says } of CHECKS) {
  test(`${what} is checked before anything starts`, async (t) => {
    const file = await configurationFile(t, yaml);
    const result = await tenuto(["config", "check", "--config", file, ...more]);
    t.is(result.status, status, result.stderr);
    t.regex(result.stdout + result.stderr, says);
  });
}

test("agent --check starts nothing, and lists what would be", async (t) => {
  const { status, stdout } = await tenuto(["agent", "--check", "--label", "checked"]);
  t.is(status, 0);
  t.regex(stdout, /agent checked, flavor embedded \(netlink, store, .*, file\)/);
});

test("the schema of a configuration file is JSON schema that knows every section", async (t) => {
  const { stdout } = await tenuto(["config", "schema", "--flavor", "nats"]);
  const { properties } = JSON.parse(stdout) as { properties: Readonly<Record<string, unknown>> };
  for (const section of ["label", "flavor", "agent", "log", "http", "nats"]) t.true(section in properties, section);
});

test("flavors and their plugins are listed in order", async (t) => {
  const flavors = JSON.parse((await tenuto(["flavors", "-o", "json"])).stdout) as readonly { name: string }[];
  t.true(flavors.some(({ name }) => name === "embedded"));
  const rows = JSON.parse((await tenuto(["plugins", "--flavor", "nats", "-o", "json"])).stdout) as readonly {
    name: string;
  }[];
  const names = rows.map(({ name }) => name);
  t.is(names[0], "netlink");
  t.is(names.at(-1), "nats");
  t.regex((await tenuto(["plugins"])).stdout, /^PLUGIN +PROVIDES +NEEDS +DESCRIPTION\nnetlink /);
});
