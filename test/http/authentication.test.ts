import { execFile } from "node:child_process";
import { chmod, mkdtemp, rename, rm, symlink, writeFile } from "node:fs/promises";
import { request } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import test, { type ExecutionContext } from "ava";
import { LocalClient } from "#cli/local-client.js";
import { HttpPlugin, httpConfig } from "#plugins/http/index.js";
import { exchange, localAgent } from "./local-agent.js";

const TOKEN = "a-token-of-good-length";
const run = promisify(execFile);

async function directory(t: ExecutionContext): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), "tenuto-http-"));
  t.teardown(() => rm(path, { recursive: true, force: true }));
  return path;
}

async function secret(t: ExecutionContext, text = `${TOKEN}\n`, mode = 0o600): Promise<string> {
  const path = join(await directory(t), "token");
  await writeFile(path, text, { mode });
  await chmod(path, mode);
  return path;
}

/** Asks an agent over TCP; resolves with the status. */
async function guarded(t: ExecutionContext, section: object) {
  const { agent, ask } = await localAgent(t, { ...section, tcp: { enabled: true, port: 0 } });
  const port = agent.get(HttpPlugin).port!;
  const status = async (path: string, authorization?: string, method = "GET"): Promise<number> => {
    const headers = authorization === undefined ? {} : { authorization };
    return (await exchange({ host: "127.0.0.1", port, path, method }, { headers })).status;
  };
  return { port, status, ask };
}

test("with a token file every request over TCP needs the token, and says so; the local socket does not", async (t) => {
  const { port, status, ask } = await guarded(t, { token_file: await secret(t) });
  const refused = await exchange({ host: "127.0.0.1", port, path: "/v1/status" });
  t.is(refused.status, 401);
  t.is(refused.headers["www-authenticate"], 'Bearer realm="tenuto"');
  for (const wrong of [
    `Bearer ${TOKEN}x`,
    "Bearer ",
    `Basic ${TOKEN}`,
    TOKEN,
    `Bearer ${TOKEN} ${TOKEN}`,
    "Bearer \u00e9",
  ]) {
    t.is(await status("/v1/status", wrong), 401, wrong);
  }
  t.is(await status(`/v1/status?token=${TOKEN}`), 401, "never in an address");
  t.is(await status("/nothing"), 401, "what there is is not told either");
  t.is(await status("/v1/resync", undefined, "POST"), 401);
  t.is(await status("/v1/status", `bearer ${TOKEN}`), 200);
  t.is(await status("/"), 200, "the page asks for the token");
  t.is((await ask("GET", "/v1/status")).status, 200);
});

test("the command line's client brings the token, also to the stream of events", async (t) => {
  const { port } = await guarded(t, { token_file: await secret(t) });
  const url = new URL(`http://127.0.0.1:${port}`);
  const client = new LocalClient({ url, token: TOKEN, timeout: 60_000 });
  t.teardown(() => client.close());
  t.deepEqual(await client.status(), []);
  const stream = client.watch("transactions");
  const first = stream.next();
  await client.commit({
    changes: [{ key: "config/linux/interfaces/v2/interface/a", value: { name: "a", type: "DUMMY" } }],
  });
  t.is((await first).done, false);
  await t.throwsAsync(new LocalClient({ url, timeout: 60_000 }).status(), { message: /needs the token/ });
});

test("the token of metrics is good for metrics alone", async (t) => {
  const files = { token_file: await secret(t), metrics_token_file: await secret(t, "only-for-the-metrics") };
  const { status } = await guarded(t, files);
  t.is(await status("/metrics", "Bearer only-for-the-metrics"), 200);
  t.is(await status("/v1/status", "Bearer only-for-the-metrics"), 401);
  t.is(await status("/metrics", `Bearer ${TOKEN}`), 200);
});

test("a token file that is replaced counts from the next request on; one that became bad lets nobody in", async (t) => {
  const path = await secret(t);
  const { status, ask } = await guarded(t, { token_file: path });
  const health = async (): Promise<string> => (await ask("GET", "/readiness")).text;
  t.is(await status("/v1/status", `Bearer ${TOKEN}`), 200);
  await writeFile(`${path}.new`, "another-token-of-good-length", { mode: 0o600 });
  await rename(`${path}.new`, path);
  t.is(await status("/v1/status", `Bearer ${TOKEN}`), 401);
  t.is(await status("/v1/status", "Bearer another-token-of-good-length"), 200);
  const spoil: readonly (readonly [spoil: () => Promise<unknown>, reason: RegExp])[] = [
    [() => chmod(path, 0o644), /nobody is let in over TCP: http\.token_file: .* has mode 0644/],
    [() => rm(path), /nobody is let in over TCP: http\.token_file: .* cannot be read: .*no such file/],
    [() => run("mkfifo", ["-m", "600", path]), /nobody is let in over TCP: http\.token_file: .* is not a regular file/],
  ];
  for (const [act, reason] of spoil) {
    await act();
    t.is(await status("/v1/status", "Bearer another-token-of-good-length"), 503);
    t.is(await status("/v1/status", "Bearer wrong"), 503);
    t.regex(await health(), reason);
  }
  await rm(path);
  await writeFile(path, "a-third-token-of-good-length", { mode: 0o600 });
  t.is(await status("/v1/status", "Bearer a-third-token-of-good-length"), 200);
  t.notRegex(await health(), /nobody is let in/);
});

const BAD_FILES: readonly (readonly [title: string, text: string, mode: number, message: RegExp])[] = [
  ["that everybody may read", TOKEN, 0o644, /http\.token_file: .* has mode 0644; make it 0600/],
  ["that its group may write", TOKEN, 0o660, /has mode 0660/],
  ["that is empty", "", 0o600, /one line of printable ASCII/],
  ["with two lines", `${TOKEN}\n${TOKEN}`, 0o600, /one line/],
  ["with a short token", "secret", 0o600, /fewer than 16 characters/],
];

for (const [title, text, mode, message] of BAD_FILES) {
  test(`an agent does not start with a token file ${title}`, async (t) => {
    const token_file = await secret(t, text, mode);
    await t.throwsAsync(localAgent(t, { token_file, tcp: { enabled: true, port: 0 } }), { message });
  });
}

test("a token file may be a link, as Kubernetes mounts secrets, but no directory and not missing", async (t) => {
  const folder = await directory(t);
  const link = join(folder, "link");
  await symlink(await secret(t), link);
  const { status } = await guarded(t, { token_file: link });
  t.is(await status("/v1/status", `Bearer ${TOKEN}`), 200);
  for (const token_file of [folder, join(folder, "missing")]) {
    await t.throwsAsync(localAgent(t, { token_file, tcp: { enabled: true, port: 0 } }), {
      message: /http\.token_file/,
    });
  }
});

const CONFIGURATIONS: readonly (readonly [title: string, section: object, problem: RegExp | undefined])[] = [
  [
    "off loopback without a token",
    { tcp: { enabled: true, host: "0.0.0.0" } },
    /set http\.token_file or http\.tls\.client_ca/,
  ],
  ["off loopback by IPv6", { tcp: { enabled: true, host: "::" } }, /opens the API to the network/],
  ["off loopback with a token", { tcp: { enabled: true, host: "0.0.0.0" }, token_file: "/t" }, undefined],
  [
    "off loopback with certificates of clients",
    { tcp: { enabled: true, host: "0.0.0.0" }, tls: { cert_file: "/c", key_file: "/k", client_ca_file: "/a" } },
    undefined,
  ],
  ["off loopback and off", { tcp: { host: "0.0.0.0" } }, undefined],
  ["on loopback without a token", { tcp: { enabled: true, host: "127.0.0.2" } }, undefined],
  ["a certificate without its key", { tls: { cert_file: "/c" } }, /needs both cert_file and key_file/],
  ["an authority without a certificate", { tls: { client_ca_file: "/a" } }, /needs cert_file and key_file/],
  ["a token for metrics alone", { metrics_token_file: "/m" }, /restricts nothing/],
];

for (const [title, section, problem] of CONFIGURATIONS) {
  test(`configuration: ${title} is ${problem === undefined ? "good" : "refused"}`, (t) => {
    const { error } = httpConfig.safeParse(section);
    if (problem === undefined) t.is(error, undefined);
    else t.regex(error?.issues[0]?.message ?? "", problem);
  });
}

test("with mutual TLS only clients with a certificate of the authority get in", async (t) => {
  const folder = await directory(t);
  const at = (name: string): string => join(folder, name);
  const openssl = (...parameters: readonly string[]): Promise<unknown> =>
    run("openssl", [...parameters], { cwd: folder });
  await openssl(
    "req",
    "-x509",
    "-newkey",
    "ec",
    "-pkeyopt",
    "ec_paramgen_curve:P-256",
    "-nodes",
    "-keyout",
    "ca.key",
    "-out",
    "ca.pem",
    "-subj",
    "/CN=ca",
    "-days",
    "2",
  );
  for (const name of ["server", "client"]) {
    await openssl(
      "req",
      "-newkey",
      "ec",
      "-pkeyopt",
      "ec_paramgen_curve:P-256",
      "-nodes",
      "-keyout",
      `${name}.key`,
      "-out",
      `${name}.csr`,
      "-subj",
      `/CN=${name}`,
    );
    await writeFile(at(`${name}.ext`), "subjectAltName=IP:127.0.0.1\n");
    await openssl(
      "x509",
      "-req",
      "-in",
      `${name}.csr`,
      "-CA",
      "ca.pem",
      "-CAkey",
      "ca.key",
      "-CAcreateserial",
      "-out",
      `${name}.pem`,
      "-days",
      "2",
      "-extfile",
      `${name}.ext`,
    );
  }
  const tls = { cert_file: at("server.pem"), key_file: at("server.key"), client_ca_file: at("ca.pem") };
  const { port } = await guarded(t, { tls });
  const { readFileSync } = await import("node:fs");
  const status = (own: object): Promise<number | undefined> =>
    new Promise((resolve, reject) => {
      const options = {
        host: "127.0.0.1",
        port,
        path: "/liveness",
        ca: readFileSync(at("ca.pem")),
        agent: false,
        ...own,
      };
      request(options, (answer) => {
        answer.resume();
        resolve(answer.statusCode);
      })
        .once("error", reject)
        .end();
    });
  t.is(await status({ cert: readFileSync(at("client.pem")), key: readFileSync(at("client.key")) }), 200);
  await t.throwsAsync(status({}));
});
