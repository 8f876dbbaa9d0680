import { chmod, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "ava";
import { agentProcess } from "#test/support/agent-process.js";
import { eventually } from "#test/support/eventually.js";
import { link } from "#test/support/sandbox.js";

const WITHOUT = "-dac_override,-dac_read_search";

function bridges(...names: readonly string[]): string {
  return JSON.stringify({
    linuxConfig: { interfaces: names.map((name) => ({ name, type: "BRIDGE", enabled: true })) },
  });
}

test("a file or directory that may not be read any more takes nothing away, also at a start", async (t) => {
  const root = await mkdtemp(join(tmpdir(), "tenuto-unreadable-"));
  t.teardown(() => rm(root, { recursive: true, force: true }));
  const directory = join(root, "desired");
  const [a, b] = [join(directory, "a.json"), join(directory, "b.json")];
  await mkdir(directory);
  await writeFile(a, bridges("one", "two"));
  await writeFile(b, bridges("three"));
  const agent = await agentProcess({
    label: "unreadable",
    configuration: { file: { path: directory, settle: "20ms" }, store: { directory: join(root, "store") } },
    wrapper: ["setpriv", `--bounding-set=${WITHOUT}`, `--inh-caps=${WITHOUT}`],
    until: "alive",
  });
  t.teardown(() => agent.stop());
  const indexes = async () => Promise.all(["one", "two", "three"].map(async (name) => (await link(name))?.ifindex));
  const told = async (): Promise<string> => {
    const { body } = await agent.request("GET", "/readiness");
    return (body as { PluginStatus: Record<string, { error?: string }> }).PluginStatus.file?.error ?? "";
  };
  await eventually(async () => (await indexes()).every((index) => index !== undefined));
  const before = await indexes();

  const losses: readonly (readonly [path: string, mode: number, good: number, reason: RegExp])[] = [
    [a, 0o000, 0o644, /the last good state is kept: .*a\.json: permission denied/],
    [directory, 0o000, 0o755, /what the files said before is kept: cannot read .*desired: permission denied/],
    [directory, 0o444, 0o755, /the last good state is kept: .*a\.json: permission denied/],
    [root, 0o000, 0o755, /what the files said before is kept: cannot read .*: permission denied/],
  ];
  for (const [path, mode, good, reason] of losses) {
    await chmod(path, mode);
    await eventually(async () => reason.test(await told()), { what: String(reason) });
    await agent.request("POST", "/v1/resync");
    t.deepEqual(await indexes(), before, String(reason));
    await chmod(path, good);
    await eventually(async () => (await told()) === "", { what: "the files to be read again" });
  }

  await agent.kill9();
  await chmod(directory, 0o000);
  await agent.restart();
  await eventually(async () => /cannot read .*desired: permission denied/.test(await told()));
  t.deepEqual(await indexes(), before, "after a start");
  await chmod(directory, 0o755);
  await writeFile(b, bridges("three", "four"));
  await eventually(async () => (await link("four")) !== undefined);
  t.deepEqual(await indexes(), before);
});
