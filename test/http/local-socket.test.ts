import { spawnSync } from "node:child_process";
import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { type ExecutionContext } from "ava";
import { defaultSocketPath, socketDirectory } from "#core/agent/socket-path.js";
import { claimSocketPath } from "#plugins/http/local-socket.js";

async function temporaryDirectory(t: ExecutionContext): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), "tenuto-socket-"));
  t.teardown(() => rm(directory, { recursive: true, force: true }));
  return directory;
}

function listen(path: string): Promise<Server> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", reject);
    server.listen(path, () => resolve(server));
  });
}

/** A process that listens and dies at once, without a chance to clean up. */
function leaveStaleSocket(path: string): void {
  const program = `require("net").createServer().listen(${JSON.stringify(path)}, () => process.kill(process.pid, "SIGKILL"))`;
  spawnSync(process.execPath, ["-e", program]);
}

test("a path in a directory that does not exist is made free to listen on", async (t) => {
  const path = join(await temporaryDirectory(t), "below", "agent.sock");
  await claimSocketPath(path);
  const server = await listen(path);
  t.teardown(() => server.close());
  t.pass();
});

test("the socket of an agent that died is replaced, and nothing is left beside it", async (t) => {
  const directory = await temporaryDirectory(t);
  const path = join(directory, "agent.sock");
  leaveStaleSocket(path);
  t.deepEqual(await readdir(directory), ["agent.sock"]);
  await claimSocketPath(path);
  t.deepEqual(await readdir(directory), []);
});

test("the socket of a living agent is refused, and left as it is", async (t) => {
  const directory = await temporaryDirectory(t);
  const path = join(directory, "agent.sock");
  const server = await listen(path);
  t.teardown(() => server.close());
  await t.throwsAsync(claimSocketPath(path), {
    code: "SOCKET_IN_USE",
    message: /another agent is listening on .*agent\.sock/,
  });
  t.deepEqual(await readdir(directory), ["agent.sock"]);
});

test("a file that is no socket is refused, and left as it is", async (t) => {
  const directory = await temporaryDirectory(t);
  const path = join(directory, "agent.sock");
  await writeFile(path, "precious");
  await t.throwsAsync(claimSocketPath(path), { code: "SOCKET_PATH_TAKEN", message: /is not a socket/ });
  t.deepEqual(await readdir(directory), ["agent.sock"]);
});

test("a directory that cannot be made is named, with what to set", async (t) => {
  const file = join(await temporaryDirectory(t), "file");
  await writeFile(file, "");
  await t.throwsAsync(claimSocketPath(join(file, "below", "agent.sock")), {
    code: "SOCKET_DENIED",
    message: /set http\.socket/,
  });
  await t.throwsAsync(claimSocketPath("/proc/tenuto/below/agent.sock"), { code: "SOCKET_DENIED" });
});

test("a path longer than the kernel takes is refused with the limit", async (t) => {
  await t.throwsAsync(claimSocketPath(`/run/${"x".repeat(120)}.sock`), {
    code: "SOCKET_PATH_TOO_LONG",
    message: /107 bytes/,
  });
});

const OWNERS = [
  { who: "root", uid: 0, environment: { XDG_RUNTIME_DIR: "/run/user/0" }, directory: "/run/tenuto" },
  {
    who: "a user with a session",
    uid: 7,
    environment: { XDG_RUNTIME_DIR: "/run/user/7" },
    directory: "/run/user/7/tenuto",
  },
  { who: "a user without a session", uid: 7, environment: {}, directory: join(tmpdir(), "tenuto-7") },
];

for (const { who, directory, ...owner } of OWNERS) {
  test(`sockets of ${who} are in ${directory}`, (t) => {
    t.is(socketDirectory(owner), directory);
    t.is(defaultSocketPath("t1", owner), join(directory, "t1.sock"));
  });
}
