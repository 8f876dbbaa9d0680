/**
 * ifmgr from outside: its requests and notifications on a real nats-server and over HTTP, and `ifmgrctl` as a program.
 */
import { join } from "node:path";
import test from "ava";
import { connect, type NatsConnection } from "nats";
import { type InterfaceList, interfaceKey } from "#proto/index.js";
import { type AgentProcess, agentProcess } from "#test/support/agent-process.js";
import { type Broker, startNats } from "#test/support/brokers.js";
import { Child } from "#test/support/child.js";
import { eventually } from "#test/support/eventually.js";
import { projectRoot, tenutoProgram } from "#test/support/project.js";
import { run } from "#test/support/sandbox.js";
import { agentEnvironment, type CommandResult } from "#test/support/tenuto.js";
import { existing } from "./support/agent.js";

const LABEL = "seen";
/** The library waits for an answer for a second only, which a busy machine may need for anything. */
const PATIENT = { timeout: 60_000 };

let server: Broker;
let bus: NatsConnection;
let agent: AgentProcess;

test.before(async () => {
  server = await startNats();
  bus = await connect({ servers: server.url });
  agent = await agentProcess({
    label: LABEL,
    flavor: "ifmgr",
    args: ["--nats", server.url],
    configuration: { "interface-watcher": { settle_delay: "50ms" }, store: { enabled: false } },
  });
});
test.after.always(async () => {
  await agent?.stop();
  await bus?.close();
  await server?.stop();
});

async function ask(request: string, argument?: object): Promise<InterfaceList> {
  const payload = argument === undefined ? "" : JSON.stringify(argument);
  return (await bus.request(`tenuto.${LABEL}.ifmgr.${request}`, payload, PATIENT)).json();
}

async function ifmgrctl(parameters: readonly string[], env: Record<string, string> = {}): Promise<CommandResult> {
  const command = [process.execPath, join(projectRoot, "dist/cli/ifmgrctl.js"), ...parameters];
  const child = await Child.start(command, { env: { ...agentEnvironment, TENUTO_SOCKET: agent.socket, ...env } });
  const { code } = await child.exited;
  return { status: code, stdout: child.stdout, stderr: child.stderr };
}

async function plugIn(name: string): Promise<void> {
  await run(["ip", "link", "add", name, "type", "veth", "peer", "name", `${name}p`]);
}

function reaches(name: string, state: string): Promise<boolean> {
  return eventually(async () => (await ask("get", { interface: name })).interfaces?.[0]?.state === state, {
    what: `${name} to be ${state}`,
  });
}

test("the requests on NATS, and the notifications that follow", async (t) => {
  const events: { type: string; status: { interface: string; state: string; running: readonly string[] } }[] = [];
  bus.subscribe(`tenuto.${LABEL}.event.ifmgr`, {
    callback: (_error, message) => {
      const event = message.json<(typeof events)[number]>();
      if (event.status.interface === "nat0") events.push(event);
    },
  });
  t.like((await ask("register", { interface: "nat0" })).interfaces?.[0], { interface: "nat0", state: "UNPLUGGED" });
  await bus.request(
    `tenuto.${LABEL}.config.commit`,
    JSON.stringify({ changes: [existing("nat0", { mtu: 1400 })] }),
    PATIENT,
  );
  await plugIn("nat0");
  await reaches("nat0", "PLUGGED");
  await ask("unplug", { interface: "nat0" });
  await reaches("nat0", "UNPLUGGED");
  await eventually(() => events.length >= 4);
  t.deepEqual(
    events.map(({ type, status }) => [type, status.state, status.running]),
    [
      ["CONFIGURATION_UPDATED", "PLUGGED", [interfaceKey("nat0")]],
      ["INTERFACE_STATE", "PLUGGED", [interfaceKey("nat0")]],
      ["CONFIGURATION_UPDATED", "UNPLUGGED", []],
      ["INTERFACE_STATE", "UNPLUGGED", []],
    ],
  );
  t.deepEqual(await ask("unregister", { interface: "nat0" }), { interfaces: [] });
  t.deepEqual(await ask("plug", { interface: "nat0" }), { interfaces: [] });
});

test("a request that makes no sense is answered with what is wrong with it", async (t) => {
  for (const argument of [{}, { interface: "a/b" }, { interface: "much-too-long-a-name" }]) {
    const reply = await bus.request(`tenuto.${LABEL}.ifmgr.plug`, JSON.stringify(argument), PATIENT);
    t.is(reply.headers?.get("Nats-Service-Error-Code"), "400");
    t.like(reply.json(), { error: { code: "BAD_INTERFACE", field: "interface" } });
  }
  const unknown = await agent.request("POST", "/v1/ifmgr/plug", { interfaces: "eth0" });
  t.is(unknown.status, 400);
});

test("ifmgrctl prints the usage that people know", async (t) => {
  const { status, stdout } = await ifmgrctl(["--help"]);
  t.is(status, 0);
  t.true(
    stdout.startsWith(
      [
        "Usage: ifmgrctl <action> <args>",
        "Available actions:",
        "  apply\t\tapply latest config to managed interfaces",
        "  plug\t\tsend plug event for device",
        "  register\tregister a new device to be managed",
        "  unplug\tsend unplug event for device",
        "  unregister\tstop managing a device",
      ].join("\n"),
    ),
  );
});

test("wrong usage of ifmgrctl ends with status 2 and says how it goes", async (t) => {
  for (const words of [["fly"], ["plug"], ["plug", "eth0", "eth1"], ["apply", "eth0"], ["constructor"]]) {
    const { status, stderr } = await ifmgrctl(words);
    t.is(status, 2, words.join(" "));
    t.regex(stderr, /Usage: ifmgrctl <action> <args>/);
  }
});

test("ifmgrctl registers, plugs and unplugs by name or by $INTERFACE, over the local socket and over NATS", async (t) => {
  await plugIn("ctl0");
  const registered = await ifmgrctl(["register", "ctl0"]);
  t.deepEqual([registered.status, registered.stderr], [0, ""]);
  await reaches("ctl0", "PLUGGED");
  t.is((await ifmgrctl(["unplug"], { INTERFACE: "ctl0" })).status, 0);
  await reaches("ctl0", "UNPLUGGED");
  t.is((await ifmgrctl(["plug", "ctl0", "--nats", server.url, "--label", LABEL])).status, 0);
  await reaches("ctl0", "PLUGGED");
  const { stdout } = await ifmgrctl([]);
  t.regex(stdout, /^INTERFACE +STATE +SINCE/);
  t.regex(stdout, /^ctl0 +plugged /m);
  const listed = JSON.parse((await ifmgrctl(["-o", "json"])).stdout) as readonly { interface: string }[];
  t.true(listed.some((status) => status.interface === "ctl0"));
  t.is((await ifmgrctl(["unregister", "ctl0"])).status, 0);
  t.notRegex((await ifmgrctl([])).stdout, /^ctl0/m);
});

test("tenuto watch ifmgr prints a line per notification", async (t) => {
  const command = [...tenutoProgram, "watch", "ifmgr", "--count", "2"];
  const watching = await Child.start(command, { env: { ...agentEnvironment, TENUTO_SOCKET: agent.socket } });
  await ask("register", { interface: "seen0" });
  // Until somebody has begun to listen.
  await eventually(async () => {
    await ask("plug", { interface: "seen0" });
    await reaches("seen0", "PLUGGED");
    await ask("unplug", { interface: "seen0" });
    await reaches("seen0", "UNPLUGGED");
    return !watching.running;
  });
  await watching.exited;
  // Which it saw first is chance, and other tests plug in theirs.
  const line = /^\S+ {2}\w+ {2}INTERFACE_STATE {8}(UN)?PLUGGED {2}0 running/;
  const lines = watching.stdout.trimEnd().split("\n");
  t.is(lines.length, 2);
  for (const each of lines) t.regex(each, line);
});

test("an event for an interface that is not managed is no failure, so that a udev rule need not choose", async (t) => {
  const { status, stderr } = await ifmgrctl(["plug", "docker0"]);
  t.is(status, 0);
  t.is(stderr, "ifmgrctl: docker0 is not managed, plug is ignored\n");
});

test("ifmgrctl apply hands the latest configuration to every machine, and resets those without any", async (t) => {
  await ask("register", { interface: "app0" });
  await ask("register", { interface: "app1" });
  await bus.request(
    `tenuto.${LABEL}.config.commit`,
    JSON.stringify({ changes: [existing("app0", { mtu: 1400 })] }),
    PATIENT,
  );
  const { status, stdout } = await ifmgrctl(["apply", "-o", "json"]);
  t.is(status, 0);
  const listed = JSON.parse(stdout) as readonly {
    interface: string;
    last_event: string;
    candidate: readonly string[];
  }[];
  const of = (name: string) => listed.find((one) => one.interface === name);
  t.like(of("app0"), { last_event: "apply", candidate: [interfaceKey("app0")] });
  t.like(of("app1"), { last_event: "reset", candidate: [] });
});
