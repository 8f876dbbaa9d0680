/** `npm start`, and what it tells to try in a second terminal. */
import { spawnSync } from "node:child_process";
import { chmod, mkdtemp, readdir, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { type ExecutionContext } from "ava";
import { Child } from "#test/support/child.js";
import { eventually } from "#test/support/eventually.js";
import { projectRoot } from "#test/support/project.js";
import { links, namespaces, run } from "#test/support/sandbox.js";
import { agentEnvironment, tenuto } from "#test/support/tenuto.js";

const START = [process.execPath, join(projectRoot, "scripts/start.mjs")];
const NOBODY = ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", "--"];
const START_MS = 60_000;

interface Place {
  readonly directory: string;
  readonly socket: string;
}

/** A directory that every user may write, for the socket. */
async function place(t: ExecutionContext): Promise<Place> {
  const directory = await mkdtemp(join(tmpdir(), "tenuto-start-"));
  await chmod(directory, 0o777);
  t.teardown(() => rm(directory, { recursive: true }));
  return { directory, socket: join(directory, "agent.sock") };
}

function start(parameters: readonly string[], as: readonly string[] = []): Promise<Child> {
  return Child.start([...as, ...START, ...parameters], { env: { ...agentEnvironment, HOME: tmpdir() } });
}

/** The network and the processes around `npm start`, to compare before and after. */
async function surroundings(): Promise<unknown> {
  const ours = (await links()).map(({ ifindex, ifname, addr_info }) => ({ ifindex, ifname, addr_info }));
  return { links: ours, namespaces: await namespaces(), run: await readdir("/run") };
}

async function leavesNothing(t: ExecutionContext, { directory }: Place, agentPid: string): Promise<void> {
  t.deepEqual(await readdir(directory), []);
  await t.throwsAsync(stat(`/proc/${agentPid}`), { code: "ENOENT" });
}

/** The lines of the section that says what to try. */
function advised(child: Child, pattern: RegExp): string {
  const line = child.log.split("\n").find((candidate) => pattern.test(candidate));
  if (line === undefined) throw child.failure(`says nothing like ${pattern}`);
  return line.replace(/\s# .*$/, "").trim();
}

test.serial(
  "it shows values and interfaces, what it tells to try works, and Ctrl-C leaves nothing behind",
  async (t) => {
    const before = await surroundings();
    const where = await place(t);
    const child = await start(["--socket", where.socket]);
    t.teardown(() => child.stop());
    const [, pid = ""] = await child.logged(/agent is ready \(pid (\d+)\)/, START_MS);
    await child.logged(/CONFIGURED +config\/linux\/interfaces\/v2\/interface\/red-uplink/, START_MS);
    await child.logged(/CONFIGURED +config\/linux\/interfaces\/v2\/interface\/blue-uplink/, START_MS);
    await child.logged(/CONFIGURED +config\/linux\/l3\/v2\/route\/10\.12\.0\.0\/16\/red-uplink/, START_MS);
    await child.logged(/interface .*red-uplink \(uplink\) +UP +.*10\.11\.0\.1\/24/, START_MS);
    t.deepEqual(await surroundings(), before);

    t.is(advised(child, /export TENUTO_SOCKET/), `export TENUTO_SOCKET=${where.socket}`);
    const env = { TENUTO_SOCKET: where.socket };
    for (const [pattern, expected] of [
      [/npx tenuto status/, /red-uplink +CONFIGURED/],
      [/npx tenuto apply/, /APPLIED/],
    ] as const) {
      const [, , ...parameters] = advised(child, pattern).split(/\s+/);
      const result = await tenuto(parameters, { cwd: projectRoot, env });
      t.is(result.status, 0, result.stderr);
      t.regex(result.stdout, expected);
    }
    await child.logged(/CONFIGURED +config\/linux\/interfaces\/v2\/interface\/green-uplink/, START_MS);
    const inside = await run(advised(child, /nsenter/).split(/\s+/));
    t.regex(inside, /inet 10\.11\.0\.1\/24/);

    child.signal("SIGINT");
    t.deepEqual(await child.exited, { code: 0, signal: null });
    await leavesNothing(t, where, pid);
    t.deepEqual(await surroundings(), before);
  },
);

test.serial("--seconds ends it by itself with status 0 and leaves nothing behind", async (t) => {
  const before = await surroundings();
  const where = await place(t);
  const child = await start(["--seconds", "2", "--socket", where.socket]);
  const [, pid = ""] = await child.logged(/agent is ready \(pid (\d+)\)/, START_MS);
  t.deepEqual(await child.exited, { code: 0, signal: null });
  t.regex(child.log, /CONFIGURED +config\/linux\/interfaces\/v2\/interface\/red-uplink/);
  await leavesNothing(t, where, pid);
  t.deepEqual(await surroundings(), before);
});

test.serial("killed with -9, it takes the agent and its namespaces along", async (t) => {
  const where = await place(t);
  const child = await start(["--socket", where.socket]);
  const [, pid = ""] = await child.logged(/agent is ready \(pid (\d+)\)/, START_MS);
  await child.kill();
  const isGone = (): Promise<boolean> =>
    stat(`/proc/${pid}`).then(
      () => false,
      () => true,
    );
  t.true(await eventually(isGone, { what: "the agent to be gone" }));
});

/** Whether an ordinary user can read the project and make a user namespace on this machine. */
function ordinaryUserCan(): boolean {
  const [program = "", ...parameters] = NOBODY;
  const readable = ["test", "-r", join(projectRoot, "package.json"), "-a", "-r", join(projectRoot, "dist/.built")];
  const namespace = ["unshare", "--user", "--map-root-user", "--net", "--mount", "true"];
  return [readable, namespace].every(
    (command) => spawnSync(program, [...parameters, ...command], { cwd: "/" }).status === 0,
  );
}

const asOrdinaryUser = ordinaryUserCan() ? test.serial : test.serial.skip;

asOrdinaryUser("it works for an ordinary user, through a user namespace", async (t) => {
  const where = await place(t);
  const child = await start(["--socket", where.socket], NOBODY);
  t.teardown(() => child.stop());
  const [, pid = ""] = await child.logged(/agent is ready \(pid (\d+)\)/, START_MS);
  await child.logged(/interface .*red-uplink \(uplink\) +UP +.*10\.11\.0\.1\/24/, START_MS);
  t.regex(await run([...NOBODY, ...advised(child, /nsenter/).split(/\s+/)]), /inet 10\.11\.0\.1\/24/);
  child.signal("SIGINT");
  t.deepEqual(await child.exited, { code: 0, signal: null });
  await leavesNothing(t, where, pid);
});

test("a machine without namespaces gets a plain reason", async (t) => {
  const child = await Child.start(["env", "PATH=/nowhere", ...START]);
  t.like(await child.exited, { code: 1 });
  t.regex(child.stderr, /Cannot make a private network namespace: there is no unshare\(1\) here/);
});

test("wrong parameters are refused with the usage, and --help shows it", async (t) => {
  const wrong = await start(["--seconds", "soon"]);
  t.like(await wrong.exited, { code: 2 });
  t.regex(wrong.stderr, /--seconds is "soon"; expected a positive number[\s\S]*npm start \[-- --seconds N\]/);

  const help = await start(["--help"]);
  t.like(await help.exited, { code: 0 });
  t.regex(help.stdout, /nothing on this host changes/);
});
