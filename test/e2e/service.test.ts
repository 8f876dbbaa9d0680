/** The unit file of examples/systemd: what it grants an agent is enough, and the agent says what it lacks with less. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFile, readlink } from "node:fs/promises";
import { join } from "node:path";
import test, { type ExecutionContext } from "ava";
import { type AgentProcess, agentProcess } from "#test/support/agent-process.js";
import { eventually } from "#test/support/eventually.js";
import { projectRoot } from "#test/support/project.js";
import { addressesOf, link } from "#test/support/sandbox.js";

interface Result {
  readonly outcome: string;
  readonly error: string;
}

async function granted(): Promise<readonly string[]> {
  const unit = await readFile(join(projectRoot, "examples/systemd/tenuto.service"), "utf8");
  const [, list = ""] = /^CapabilityBoundingSet=(.*)$/m.exec(unit) ?? [];
  return list
    .split(" ")
    .map((name) => name.replace(/^CAP_/, "").toLowerCase())
    .filter((name) => name !== "");
}

async function confined(t: ExecutionContext, label: string, capabilities: readonly string[]): Promise<AgentProcess> {
  const set = ["-all", ...capabilities.map((name) => `+${name}`)].join(",");
  const wrapper = ["setpriv", `--bounding-set=${set}`, `--inh-caps=${set}`, "--no-new-privs"];
  const agent = await agentProcess({ label, wrapper });
  t.teardown(() => agent.stop());
  return agent;
}

/** A process with all capabilities in a network namespace of its own. */
async function processOfOthers(t: ExecutionContext): Promise<number> {
  const child = spawn("unshare", ["--net", "sleep", "infinity"], { stdio: "ignore" });
  t.teardown(async () => {
    child.kill("SIGKILL");
    if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
  });
  const own = await readlink("/proc/self/ns/net");
  await eventually(async () => (await readlink(`/proc/${child.pid}/ns/net`)) !== own);
  return child.pid!;
}

function veth(name: string, namespace: object): readonly object[] {
  const ends = [
    { name, type: "VETH", enabled: true, ip_addresses: ["10.61.0.1/24"], veth: { peer_if_name: `${name}-p` } },
    { name: `${name}-p`, type: "VETH", enabled: true, namespace, veth: { peer_if_name: name } },
  ];
  return ends.map((value) => ({ key: `config/linux/interfaces/v2/interface/${value.name}`, value }));
}

async function apply(agent: AgentProcess, changes: readonly object[]): Promise<Result> {
  const { body } = await agent.request("POST", "/v1/transactions", { changes });
  return body as Result;
}

test("with the capabilities of the unit file an agent makes links, and enters namespaces of every kind", async (t) => {
  const agent = await confined(t, "granted", await granted());
  const named = { type: "NSID", reference: "service-green" };
  const foreign = { type: "PID", reference: String(await processOfOthers(t)) };
  const tap = { key: "config/linux/interfaces/v2/interface/svc-tap", value: { name: "svc-tap", type: "TAP" } };
  const { outcome, error } = await apply(agent, [...veth("svc0", named), ...veth("svc1", foreign), tap]);
  t.is(error, "");
  t.is(outcome, "APPLIED");
  for (const name of ["svc0", "svc1"]) {
    const view = await link(name);
    t.true(view !== undefined && addressesOf(view).includes("10.61.0.1/24"), name);
  }
  t.truthy(await link("svc-tap"));
});

test("an agent that may not enter the namespace of a process says what it needs, instead of waiting for it", async (t) => {
  const fewer = (await granted()).filter((name) => name !== "sys_ptrace");
  const agent = await confined(t, "fewer", fewer);
  const foreign = { type: "PID", reference: String(await processOfOthers(t)) };
  const { outcome, error } = await apply(agent, veth("svc2", foreign));
  t.is(outcome, "PARTIAL");
  t.regex(error, /namespace\.reference: .*needs CAP_SYS_PTRACE/);
});
