import { execFile, spawn } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import test from "ava";
import { projectRoot } from "#test/support/project.js";
import { defaultOptions } from "./support.js";

const clientModule = join(projectRoot, "dist/plugins/netlink/client.js");
const start = `
  import { NetlinkClient } from ${JSON.stringify(clientModule)};
  const netlink = new NetlinkClient(${JSON.stringify(defaultOptions)});
  await netlink.start();
`;

/** Node with code to run. */
function node(code: string): readonly string[] {
  return [process.execPath, "--input-type=module", "--eval", `${start}${code}`];
}

const subscribe = `await netlink.default.subscribe(["link"], () => undefined);`;
const endings = [
  { title: "by itself after close", code: `${subscribe} await netlink.close();`, status: 0 },
  { title: "by itself when nobody waits for an answer, netlink open", code: subscribe, status: 0 },
  {
    title: "after the answer that it waits for",
    code: `await netlink.createNamed("exit-" + process.pid); process.exitCode = 5;`,
    status: 5,
  },
  { title: "by process.exit", code: `${subscribe} process.exit(7);`, status: 7 },
  { title: "by an error", code: `${subscribe} setImmediate(() => { throw new Error("ours"); });`, status: 1 },
];

for (const { title, code, status } of endings) {
  test(`a process with a client ends ${title}`, async (t) => {
    const [program = "", ...parameters] = node(code);
    const child = spawn(program, parameters, { stdio: "ignore" });
    t.is(await new Promise((resolve) => child.once("exit", resolve)), status);
  });
}

/** Runs code after a prefix of programs that change what it may do, and returns what it writes as JSON. */
async function outputOf(prefix: readonly string[], code: string): Promise<unknown> {
  const [program = "", ...parameters] = [...prefix, ...node(code)];
  const { stdout } = await promisify(execFile)(program, parameters);
  return JSON.parse(stdout);
}

test("without capabilities the client reads, and says what it would need to change anything", async (t) => {
  const reasons = await outputOf(
    ["setpriv", "--bounding-set=-all", "--inh-caps=-all"],
    `
      const reason = (promise) => promise.then(() => "done", (error) => error.code + ": " + error.message);
      console.log(JSON.stringify([
        (await netlink.default.linkList()).map(({ name }) => name),
        await reason(netlink.default.linkAdd({ name: "br0", kind: "bridge" })),
        await reason(netlink.createNamed("forbidden")),
        await netlink.listNamed(),
      ]));
    `,
  );
  const [links, linkAdd, createNamed, named] = reasons as [string[], string, string, string[]];
  t.deepEqual(links, ["lo"]);
  t.regex(linkAdd, /^EPERM: add link br0: EPERM \(needs CAP_NET_ADMIN/);
  t.regex(createNamed, /^EPERM: create network namespace forbidden: .*needs CAP_SYS_ADMIN and CAP_NET_ADMIN/);
  t.false(named.includes("forbidden"));
});

test("everything works as the root of a user namespace", async (t) => {
  const enter = 'mount -t tmpfs tmpfs /run && exec "$@"';
  const result = await outputOf(
    ["unshare", "--user", "--map-root-user", "--net", "--mount", "sh", "-c", enter, "sh"],
    `
      await netlink.createNamed("red");
      const red = await netlink.open({ kind: "named", name: "red" });
      await netlink.default.linkAdd({ name: "left", kind: "veth", peer: { name: "right", namespace: red } });
      const left = await netlink.default.linkByName("left");
      const right = await red.linkByName("right");
      const linkIndex = right.index;
      await red.linkSet({ index: linkIndex, up: true });
      const destinations = Array.from({ length: 2000 }, (_, i) => "10." + (i >> 8) + "." + (i & 255) + ".0/24");
      const routes = destinations.map((destination) => ({ destination, linkIndex }));
      await Promise.all(routes.map((route) => red.routeAdd(route)));
      const refused = await Promise.allSettled(routes.map((route) => red.routeAdd(route)));
      console.log(JSON.stringify([
        left.link === right.index,
        (await red.routeList({ family: "inet", table: 254 })).length,
        refused.filter(({ reason }) => reason.code === "EEXIST").length,
      ]));
      await netlink.deleteNamed("red");
    `,
  );
  t.deepEqual(result, [true, 2000, 2000]);
});
