// npm start: holds the network of examples/quickstart/ in a network namespace of its own, shows what happens, and leaves
// nothing behind.
import { spawn, spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, relative, resolve } from "node:path";
import { parseArgs } from "node:util";
import { follow, get } from "./agent-api.mjs";
import { LiveView } from "./live-view.mjs";
import { buildIfNeeded, installIfNeeded, projectRoot, requireNode, say } from "./steps.mjs";

const USAGE = `npm start [-- --seconds N] [--socket PATH]

Installs, builds, and runs Tenuto with the configuration in examples/quickstart/ inside a network and mount namespace of
its own: nothing on this host changes. Needs Linux; an ordinary user needs user namespaces.

  --seconds N     end by itself after N seconds
  --socket PATH   where the agent's local socket goes; .tenuto/agent.sock in this folder when left out
  --help          this text`;

const START_MS = 20_000;
const POLL_MS = 25;
/** sockaddr_un holds 107 bytes of path. */
const LONGEST_SOCKET_PATH = 107;

/**
 * Inside the new namespaces: throw-away places for sockets, named namespaces and the store, then the agent. Without `-n`,
 * mount(8) would make /run/mount on the host first.
 */
const INSIDE = `mount -n -t tmpfs tmpfs /run && mount -n -t tmpfs tmpfs /var/lib && exec setpriv --pdeathsig KILL -- "$@"`;

const ordinaryUser = process.getuid?.() !== 0;
const unshare = ["unshare", ...(ordinaryUser ? ["--user", "--map-root-user"] : []), "--net", "--mount"];

const { seconds, socket: chosenSocket } = options();
requireNode();
requireNamespaces();
installIfNeeded();
buildIfNeeded();
await main();

function options() {
  try {
    const { values } = parseArgs({
      options: { seconds: { type: "string" }, socket: { type: "string" }, help: { type: "boolean" } },
    });
    if (values.help) {
      console.log(USAGE);
      process.exit(0);
    }
    const { seconds, socket } = values;
    if (seconds !== undefined && !(Number(seconds) > 0)) {
      throw new Error(`--seconds is "${seconds}"; expected a positive number`);
    }
    return { seconds: seconds === undefined ? undefined : Number(seconds), socket };
  } catch (error) {
    console.error(`${error.message}\n\n${USAGE}`);
    process.exit(2);
  }
}

/** Ends with a plain reason where the private namespaces cannot be had. */
function requireNamespaces() {
  const [program, ...parameters] = unshare;
  const { status, error, stderr } = spawnSync(program, [...parameters, "true"], { encoding: "utf8" });
  if (status === 0) return;
  const reason = error?.code === "ENOENT" ? "there is no unshare(1) here (package util-linux)" : stderr.trim();
  const advice = ordinaryUser
    ? `An ordinary user needs user namespaces for this. Switch them on, whichever of these exists:
  sudo sysctl kernel.unprivileged_userns_clone=1
  sudo sysctl kernel.apparmor_restrict_unprivileged_userns=0
or run it as root: sudo npm start`
    : "In a container, it takes the capabilities SYS_ADMIN and NET_ADMIN (docker run --privileged).";
  console.error(`Cannot make a private network namespace: ${reason}\n${advice}`);
  process.exit(1);
}

async function main() {
  const place = socketPlace();
  if (await answers(place.socket)) {
    console.error(`Another \`npm start\` is running: ${place.socket} answers.`);
    process.exit(1);
  }
  rmSync(place.socket, { force: true });

  // From here on Ctrl-C is an orderly end: the agent is a process of its own and must not outlive this one.
  const interruption = interrupted();
  say("starting the agent in a network namespace of its own; nothing on this host changes");
  const agent = startAgent(place.socket);
  const view = new LiveView();
  let status = 0;
  try {
    const isReady = await Promise.race([ready(agent, place.socket), interruption]);
    if (isReady) {
      say(`the agent is ready (pid ${agent.pid})`);
      console.log(advice(agent.pid, place.socket));
      const unfollow = await show(place.socket, view);
      await Promise.race([agent.ended, interruption, elapsed(seconds)]);
      unfollow();
    }
    if (agent.exit !== undefined) throw new Error("the agent ended by itself");
  } catch (error) {
    console.error(`${error.message}\n${agent.log()}`);
    status = 1;
  }
  view.close();
  agent.stop();
  await agent.ended;
  place.remove();
  say(status === 0 ? "stopped; namespaces, interfaces and socket are gone" : "stopped");
  process.exit(status);
}

/** A path that a second terminal can reach: as chosen, else in the project, else (too long) in the temporary directory. */
function socketPlace() {
  const desired = chosenSocket === undefined ? join(projectRoot, ".tenuto", "agent.sock") : resolve(chosenSocket);
  const fits = Buffer.byteLength(desired) <= LONGEST_SOCKET_PATH;
  const socket = fits ? desired : join(mkdtempSync(join(tmpdir(), "tenuto-")), "agent.sock");
  const directory = dirname(socket);
  const made = !fits || mkdirSync(directory, { recursive: true }) !== undefined;
  const remove = () => {
    rmSync(socket, { force: true });
    if (made) rmdirSync(directory);
  };
  return { socket, remove };
}

function startAgent(socket) {
  const tenuto = [process.execPath, join(projectRoot, "dist/cli/tenuto.js"), "agent", "--flavor", "embedded"];
  const settings = [`http.socket=${socket}`, `file.path=${join(projectRoot, "examples/quickstart")}`];
  const command = [...tenuto, "--label", "quickstart", ...settings.flatMap((setting) => ["--set", setting])];
  const [program, ...parameters] = [...unshare, "sh", "-c", INSIDE, "sh", ...command];
  // Detached, so that Ctrl-C reaches this process alone, which then stops the agent in an orderly way.
  const child = spawn(program, parameters, {
    cwd: projectRoot,
    detached: true,
    // And nothing is left behind: no compiled code either.
    env: { ...withoutSettings(process.env), NODE_DISABLE_COMPILE_CACHE: "1" },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const lines = [];
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (chunk) => lines.push(chunk));
  const agent = { pid: child.pid, exit: undefined, log: () => Buffer.concat(lines).toString().slice(-4000) };
  agent.ended = new Promise((resolve) => {
    child.once("close", (code, signal) => {
      agent.exit = { code, signal };
      resolve();
    });
    child.once("error", resolve);
  });
  agent.stop = () => child.kill("SIGTERM");
  return agent;
}

/** A developer's own TENUTO_ variables are not for this agent. */
function withoutSettings(environment) {
  return Object.fromEntries(Object.entries(environment).filter(([name]) => !name.startsWith("TENUTO_")));
}

/** Resolves to true when every plugin is up. */
async function ready(agent, socket) {
  const deadline = performance.now() + START_MS;
  while (performance.now() < deadline) {
    if (agent.exit !== undefined) throw new Error(`the agent ended: ${JSON.stringify(agent.exit)}`);
    if (await answers(socket, "/readiness")) return true;
    await elapsed(POLL_MS / 1000);
  }
  throw new Error(`the agent was not ready within ${START_MS / 1000} s`);
}

function answers(socket, path = "/liveness") {
  return get(socket, path).then(
    ({ status }) => status === 200,
    () => false,
  );
}

/** What happens from now on, and then what is there already: nothing is missed in between. */
async function show(socket, view) {
  const unfollow = await follow(socket, (kind, { time, subject, data }) => {
    if (kind === "value") view.value(data);
    if (kind === "interface") view.interface(time, subject, data.state ?? {});
  });
  const { text } = await get(socket, "/v1/status");
  for (const status of JSON.parse(text)) view.value(status);
  return unfollow;
}

function advice(pid, socket) {
  const user = ordinaryUser ? " --user --preserve-credentials" : "";
  const inside = `nsenter --target ${pid}${user} --net --mount`;
  const where = relative(projectRoot, socket).startsWith("..") ? socket : `$PWD/${relative(projectRoot, socket)}`;
  return `
Two namespaces, red and blue, joined by a veth pair with addresses and a route (examples/quickstart/).
Try this in a second terminal, in this folder:

  export TENUTO_SOCKET=${where}
  npx tenuto status            # every value and its state
  npx tenuto watch             # interface events, as they happen
  npx tenuto apply -f examples/first-message/transaction.json    # another pair, into a namespace green
  ${inside} ip -n red address    # look inside with ip

${seconds === undefined ? "Ctrl-C ends it" : `It ends by itself after ${seconds} s`} and leaves nothing behind.`;
}

/** Resolves to false at the first Ctrl-C. */
function interrupted() {
  return new Promise((resolve) => {
    for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.once(signal, () => resolve(false));
  });
}

function elapsed(time) {
  return new Promise((resolve) => {
    if (time !== undefined) setTimeout(resolve, time * 1000);
  });
}
