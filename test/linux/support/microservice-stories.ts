import test from "ava";
import { Health } from "#core/health/index.js";
import { interfaceKey } from "#proto/index.js";
import { type EngineKind, TestEngine, whyNoEngine } from "#test/support/container-engine.js";
import { eventually } from "#test/support/eventually.js";
import { link, run } from "#test/support/sandbox.js";
import { dropInterface, NetworkAgent, states, wantInterface } from "./network.js";

const inside = {
  name: "inside",
  type: "VETH",
  enabled: true,
  host_if_name: "eth0",
  namespace: { type: "MICROSERVICE", reference: "web" },
  ip_addresses: ["10.71.0.2/24"],
  veth: { peer_if_name: "outside" },
} as const;
const outside = {
  name: "outside",
  type: "VETH",
  enabled: true,
  ip_addresses: ["10.71.0.1/24"],
  veth: { peer_if_name: "inside" },
} as const;

/** Declares the tests of microservices in the containers of a real engine. */
export function declareMicroserviceTests(kind: EngineKind): void {
  const why = whyNoEngine(kind);
  const withEngine = why === undefined ? test.serial : test.serial.skip;

  let engine: TestEngine;
  let agent: NetworkAgent;

  const start = (configuration: object = {}) =>
    NetworkAgent.start("services", {
      "linux-namespaces": { container_sockets: [engine.socket], engine_retry: "50ms", ...configuration },
    });

  test.before(async () => {
    if (why === undefined) engine = await TestEngine.start(kind);
  });
  test.beforeEach(async () => {
    if (why === undefined) agent = await start();
  });
  test.afterEach.always(async () => {
    await agent?.resync();
    await agent?.close();
  });
  test.after.always(() => engine?.end());

  const state = (name: string) => agent.status(interfaceKey(name)).state;
  const becomes = (name: string, desired: string) =>
    eventually(() => state(name) === desired, { what: `${name} ${desired}` });

  /** The interface is in the container, and packets get through. */
  async function reaches(container: string): Promise<true> {
    const shown = await engine.docker("exec", container, "busybox", "ip", "addr", "show", "eth0");
    if (!shown.includes("inet 10.71.0.2/24")) throw new Error(`not in ${container} yet: ${shown}`);
    await engine.docker("exec", container, "busybox", "ping", "-c1", "-W5", "10.71.0.1");
    return true;
  }

  withEngine("an interface waits for its microservice, and follows it through restarts", async (t) => {
    await agent.commit(wantInterface(inside), wantInterface(outside));
    t.deepEqual(agent.status(interfaceKey("inside")).details, ["microservice web"]);
    t.is(state("outside"), "PENDING");
    await engine.runContainer("early", "--env", "MICROSERVICE_LABEL=web");
    await becomes("outside", "CONFIGURED");
    await reaches("early");

    await engine.docker("stop", "--time", "0", "early");
    await becomes("inside", "PENDING");
    t.is(state("outside"), "PENDING");
    t.is(await link("outside"), undefined);

    await engine.docker("start", "early");
    await becomes("outside", "CONFIGURED");
    await reaches("early");

    const before = await engine.pidOf("early");
    await engine.docker("restart", "--time", "0", "early");
    t.not(await engine.pidOf("early"), before);
    await eventually(() => reaches("early"));
    t.is(state("inside"), "CONFIGURED");
    await engine.docker("rm", "--force", "early");
    await becomes("inside", "PENDING");
  });

  withEngine("a microservice that ran before the agent is used at once", async (t) => {
    await agent.close();
    await engine.runContainer("first", "--env", "MICROSERVICE_LABEL=web");
    agent = await start();
    const record = await agent.commit(wantInterface(inside), wantInterface(outside));
    t.true(Object.values(states(record)).every((each) => each === "CONFIGURED"));
    t.true(await reaches("first"));
    await agent.commit(dropInterface("inside"), dropInterface("outside"));
    await engine.docker("rm", "--force", "first");
  });

  withEngine("the name may come from another variable, or from a container label", async (t) => {
    await agent.close();
    agent = await start({ microservice_variable: "SERVICE", microservice_label: "org.example.service" });
    await agent.commit(wantInterface(inside), wantInterface(outside));
    await engine.runContainer("labelled", "--env", "MICROSERVICE_LABEL=other", "--label", "org.example.service=web");
    await becomes("inside", "CONFIGURED");
    await engine.docker("rm", "--force", "labelled");
    await becomes("inside", "PENDING");
    await engine.runContainer("variable", "--env", "SERVICE=web", "--label", "org.example.service=other");
    await t.notThrowsAsync(becomes("inside", "CONFIGURED"));
    await engine.docker("rm", "--force", "variable");
  });

  withEngine("of two containers of one name the second takes over when the first ends", async (t) => {
    await engine.runContainer("one", "--env", "MICROSERVICE_LABEL=web");
    await agent.commit(wantInterface(inside), wantInterface(outside));
    await becomes("inside", "CONFIGURED");
    await engine.runContainer("two", "--env", "MICROSERVICE_LABEL=web");
    await reaches("one");
    await engine.docker("rm", "--force", "one");
    t.true(await eventually(() => reaches("two")));
    await engine.docker("rm", "--force", "two");
  });

  const health = () =>
    agent.agent
      .get(Health)
      .plugins()
      .find(({ plugin }) => plugin === "linux-namespaces");
  const isMissed = () =>
    health()?.state === "degraded" && /container engine at .*engine\.sock/.test(health()?.reason ?? "");

  withEngine("an engine that goes away is told in health, and found again when it returns", async (t) => {
    await engine.runContainer("service", "--env", "MICROSERVICE_LABEL=web");
    await agent.commit(wantInterface(inside), wantInterface(outside));
    await becomes("inside", "CONFIGURED");
    await engine.stop();
    await becomes("inside", "PENDING");
    t.true(await eventually(isMissed));
    await engine.restart();
    await eventually(() => health()?.state === "ok");
    await engine.docker("start", "service");
    await becomes("inside", "CONFIGURED");
    await reaches("service");
    await engine.docker("rm", "--force", "service");
  });

  // Docker's containers end with it.
  if (kind === "docker") return;
  withEngine("what runs without its engine stays configured, and its end is noticed all the same", async (t) => {
    const pid = await engine.runContainer("orphan", "--env", "MICROSERVICE_LABEL=web");
    await agent.commit(wantInterface(inside), wantInterface(outside));
    await becomes("inside", "CONFIGURED");
    await engine.leave();
    await eventually(isMissed);
    t.is(state("inside"), "CONFIGURED");
    await run(["ping", "-c1", "-W5", "10.71.0.2"]);

    process.kill(Number(pid), "SIGKILL");
    await becomes("inside", "PENDING");
    await engine.restart();
    await eventually(() => health()?.state === "ok");
    t.is(state("inside"), "PENDING");
    await engine.docker("start", "orphan");
    await becomes("inside", "CONFIGURED");
    await reaches("orphan");
    await engine.docker("rm", "--force", "orphan");
  });
}
