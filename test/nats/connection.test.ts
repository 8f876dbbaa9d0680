import { execFile } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import test, { type ExecutionContext } from "ava";
import { credsAuthenticator, nkeys } from "nats";
import { Health } from "#core/health/types.js";
import { eventually } from "#test/support/eventually.js";
import { broker, bus, busAgent, PATIENT } from "./support/agent.js";
import { decentralised } from "./support/credentials.js";

async function temporaryDirectory(t: ExecutionContext): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), "tenuto-nats-"));
  t.teardown(() => rm(directory, { recursive: true, force: true }));
  return directory;
}

async function secret(t: ExecutionContext, text: string): Promise<string> {
  const file = join(await temporaryDirectory(t), "secret");
  await writeFile(file, `${text}\n`, { mode: 0o600 });
  return file;
}

test("an agent without an address runs, and says what to set", async (t) => {
  const agent = await busAgent(t, { nats: { url: "" } });
  t.is(agent.health().state, "degraded");
  t.regex(agent.health().reason, /nats\.url/);
  t.true(agent.agent.get(Health).ready);
});

test("an agent whose broker is not there starts, and joins when it comes", async (t) => {
  const server = await broker(t);
  await server.kill();
  const agent = await busAgent(t, { nats: { url: server.url } });
  await eventually(() => /cannot be reached/.test(agent.health().reason));
  t.true(agent.agent.get(Health).ready);
  await server.restart();
  await eventually(() => agent.health().state === "ok");
  const connection = await bus(t, server.url);
  t.deepEqual((await connection.request(`tenuto.${agent.label}.config.get`, "", PATIENT)).json(), { values: [] });
});

test("a broker that is restarted again and again is joined again and again", async (t) => {
  const server = await broker(t);
  const agent = await busAgent(t, { nats: { url: server.url } });
  for (let round = 0; round < 5; round += 1) {
    await eventually(() => agent.health().state === "ok");
    await server.kill();
    await eventually(() => agent.health().state === "degraded");
    await server.restart();
  }
  await eventually(() => agent.health().state === "ok");
  const connection = await bus(t, server.url);
  t.is((await connection.request(`tenuto.${agent.label}.config.status`, "", PATIENT)).data.length > 0, true);
});

test("a broker that does not answer any more is left", async (t) => {
  const server = await broker(t);
  const agent = await busAgent(t, { nats: { url: server.url, ping_interval: "100ms", connect_timeout: "500ms" } });
  await eventually(() => agent.health().state === "ok");
  server.pause();
  await eventually(() => agent.health().state === "degraded");
  server.resume();
  await eventually(() => agent.health().state === "ok");
  t.pass();
});

test("wrong credentials are named in health, and are not tried in a tight loop", async (t) => {
  const server = await broker(t, { configuration: `authorization { user: agent, password: right }` });
  const agent = await busAgent(t, { nats: { url: server.url, user: "agent", password: "wrong", reconnect_max: "1s" } });
  await eventually(() => /refuses the credentials/.test(agent.health().reason));
  await eventually(() => (server.log.match(/authentication error/gi)?.length ?? 0) >= 5);
  const times = [...server.log.matchAll(/(\d\d):(\d\d):(\d\d\.\d+).*authentication error/gi)].map(
    ([, hours, minutes, seconds]) => Number(hours) * 3600 + Number(minutes) * 60 + Number(seconds),
  );
  t.true(times[4]! - times[0]! > 0.1, "five attempts take longer than their shortest pauses");
  t.false(agent.health().reason.includes("wrong"));
});

test("user and password, in the configuration, the address or a file, and a token let the agent in", async (t) => {
  const server = await broker(t, { configuration: `authorization { user: agent, password: "p@ss" }` });
  const withToken = await broker(t, { configuration: `authorization { token: s3cret }` });
  const address = server.url.replace("nats://", "");
  const sections = [
    { url: server.url, user: "agent", password: "p@ss" },
    { url: `nats://agent:p%40ss@${address}` },
    { url: withToken.url, token: "s3cret" },
    { url: withToken.url.replace("nats://", "nats://s3cret@") },
    { url: server.url, user: "agent", password_file: await secret(t, "p@ss") },
    { url: withToken.url, token_file: await secret(t, "s3cret") },
  ];
  for (const nats of sections) {
    const agent = await busAgent(t, { nats });
    await eventually(() => agent.health().state === "ok", { what: JSON.stringify(nats) });
  }
  t.pass();
});

test("an nkey is read from its file at every connect", async (t) => {
  const pair = nkeys.createUser();
  const server = await broker(t, { configuration: `authorization { users: [ { nkey: ${pair.getPublicKey()} } ] }` });
  const file = join(await temporaryDirectory(t), "agent.nk");
  const agent = await busAgent(t, { nats: { url: server.url, nkey_seed_file: file } });
  await eventually(() => agent.health().reason.includes("nats.nkey_seed_file"));
  await writeFile(file, `${new TextDecoder().decode(pair.getSeed())}\n`);
  await eventually(() => agent.health().state === "ok");
  t.pass();
});

test("a credentials file lets the agent in, and is read at every connect", async (t) => {
  const { server: configuration, credentials } = decentralised();
  const server = await broker(t, { configuration });
  const file = join(await temporaryDirectory(t), "agent.creds");
  const agent = await busAgent(t, { nats: { url: server.url, credentials_file: file } });
  const complains = (of: string): Promise<boolean> =>
    eventually(() => {
      if (!agent.health().reason.includes(of)) throw new Error(agent.health().reason);
      return true;
    });
  await complains("cannot read nats.credentials_file");
  await writeFile(file, "nothing of the kind\n");
  await complains("holds no credentials");
  await writeFile(file, decentralised().credentials);
  await complains("refuses the credentials");
  await writeFile(file, credentials);
  await eventually(() => agent.health().state === "ok");
  const connection = await bus(t, server.url, { authenticator: credsAuthenticator(Buffer.from(credentials)) });
  const answer = await connection.request(`tenuto.${agent.label}.config.get`, "", PATIENT);
  t.deepEqual(answer.json(), { values: [] });
});

test("TLS: the certificate of the broker is checked, and ours is shown to one that asks for it", async (t) => {
  const directory = await temporaryDirectory(t);
  const openssl = (...parameters: readonly string[]): Promise<unknown> =>
    promisify(execFile)("openssl", parameters, { cwd: directory });
  const certificate = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"];
  await openssl(
    ...certificate,
    "-subj",
    "/CN=test",
    "-addext",
    "subjectAltName=IP:127.0.0.1",
    "-keyout",
    "key.pem",
    "-out",
    "cert.pem",
  );
  const file = (name: string): string => join(directory, name);
  const server = await broker(t, {
    configuration: `tls { cert_file: "${file("cert.pem")}", key_file: "${file("key.pem")}", ca_file: "${file("cert.pem")}", verify: true }`,
  });
  const untrusting = await busAgent(t, { nats: { url: server.url } });
  await eventually(() => {
    if (!/certificate|self-signed/i.test(untrusting.health().reason)) throw new Error(untrusting.health().reason);
    return true;
  });
  const tls = { ca_file: file("cert.pem"), cert_file: file("cert.pem"), key_file: file("key.pem") };
  const unknown = await busAgent(t, { nats: { url: server.url, tls: { ca_file: tls.ca_file } } });
  await eventually(() => {
    if (!/certificate/i.test(unknown.health().reason)) throw new Error(unknown.health().reason);
    return true;
  });
  const withoutVerify = await broker(t, {
    configuration: `tls { cert_file: "${file("cert.pem")}", key_file: "${file("key.pem")}" }`,
  });
  for (const nats of [
    { url: server.url, tls },
    { url: withoutVerify.url, tls: { ca_file: tls.ca_file } },
  ]) {
    const agent = await busAgent(t, { nats });
    await eventually(() => {
      if (agent.health().state !== "ok") throw new Error(agent.health().reason);
      return true;
    });
  }
  t.pass();
});

test("an account that may not subscribe to the requests is told which part does not work", async (t) => {
  const server = await broker(t, {
    configuration: `authorization { users: [ { user: agent, password: right, permissions: { subscribe: "_INBOX.>" } } ] }`,
  });
  const agent = await busAgent(t, { nats: { url: server.url, user: "agent", password: "right" } });
  t.regex(
    await eventually(() => /requests are not served: .*/.exec(agent.health().reason)?.[0]),
    /Permissions Violation/i,
  );
});

test("closing an agent does not wait for a broker that hangs", async (t) => {
  const server = await broker(t);
  const agent = await busAgent(t, { nats: { url: server.url, drain_timeout: "200ms" } });
  await eventually(() => agent.health().state === "ok");
  server.pause();
  agent.tell("eth0", "UP");
  await agent.close();
  server.resume();
  t.pass();
});

test("an address that is none is refused before anything starts", async (t) => {
  await t.throwsAsync(busAgent(t, { nats: { url: "http://127.0.0.1:4222" } }), { message: /nats:\/\// });
});
