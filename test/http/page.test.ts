import { isDeepStrictEqual } from "node:util";
import ava, { type ExecutionContext } from "ava";
import { HttpPlugin } from "#plugins/http/index.js";
import { eventually } from "#test/support/eventually.js";
import { Browser, browserProgram } from "./browser.js";
import { exchange, interfaceChange, KEY, type LocalAgent, localAgent, REFUSED_MTU } from "./local-agent.js";

/** One browser at a time. */
const test = ava.serial;

test("the page is one file that loads nothing from elsewhere, on the local socket and on TCP", async (t) => {
  const { agent, ask } = await localAgent(t, { tcp: { enabled: true, port: 0 } });
  const { status, headers, text } = await ask("GET", "/");
  t.is(status, 200);
  t.is(headers["content-type"], "text/html; charset=utf-8");
  t.regex(String(headers["content-security-policy"]), /^default-src 'none'; connect-src 'self';/);
  t.notRegex(text, /(src|href)="?(https?:)?\/\//);
  const overTcp = await exchange({ host: "127.0.0.1", port: agent.get(HttpPlugin).port, path: "/" });
  t.is(overTcp.text, text);
});

const program = browserProgram();
const inBrowser = program === undefined ? test.skip : test;
if (program === undefined) {
  process.stderr.write("The web page is not looked at in a browser: install chromium to change that.\n");
}

interface Shown {
  readonly agent: LocalAgent;
  readonly browser: Browser;
  /** The text of a table's rows, cell by cell. */
  readonly rows: (id: string) => Promise<readonly (readonly string[])[]>;
}

async function shown(t: ExecutionContext, prepare?: (agent: LocalAgent) => Promise<unknown>): Promise<Shown> {
  const agent = await localAgent(t, { tcp: { enabled: true, port: 0 } });
  await prepare?.(agent);
  const browser = await Browser.start(program ?? "");
  t.teardown(() => browser.close());
  await browser.open(`http://127.0.0.1:${agent.agent.get(HttpPlugin).port}/`);
  const live = (): Promise<boolean> =>
    browser.evaluate("document.getElementById('connection')?.textContent === 'Live.'");
  await eventually(live, { timeout: 30_000, what: "the page to be live" });
  const rows: Shown["rows"] = (id) =>
    browser.evaluate(
      `[...document.getElementById("${id}").rows].map((row) => [...row.cells].map((cell) => cell.textContent))`,
    );
  return { agent, browser, rows };
}

inBrowser("the page shows values, interfaces, transactions and health, and follows what happens", async (t) => {
  const { agent, browser, rows } = await shown(t, (agent) =>
    agent.send("POST", "/v1/transactions", { description: "first", changes: [interfaceChange("eth7")] }),
  );
  // What was loaded is drawn with the browser's next frame.
  await eventually(
    async () => {
      const [values, plugins, transactions] = await Promise.all(["values", "plugins", "transactions"].map(rows));
      const [, , outcome, operations, , text] = transactions?.[0] ?? [];
      return (
        isDeepStrictEqual(values, [[`${KEY}eth7`, "CONFIGURED", ""]]) &&
        plugins?.some(([plugin, state]) => plugin === "http" && state === "ok") === true &&
        isDeepStrictEqual([outcome, operations, text], ["APPLIED", "1", "first"])
      );
    },
    { what: "the page to show what is there" },
  );
  t.is(await browser.evaluate("document.title"), "t1 – Tenuto");

  await agent.send("POST", "/v1/transactions", {
    changes: [interfaceChange("bad", { mtu: REFUSED_MTU }), { key: `${KEY}eth7`, delete: true }],
  });
  agent.tell("eth9", "UP");
  await eventually(
    async () => {
      const [values, interfaces, transactions] = await Promise.all(["values", "interfaces", "transactions"].map(rows));
      const [key, state, details] = values?.[0] ?? [];
      const isShown =
        values?.length === 1 && key === `${KEY}bad` && state === "RETRYING" && /EINVAL/.test(details ?? "");
      return isShown && interfaces?.[0]?.[0] === "eth9" && transactions?.[0]?.[2] === "PARTIAL";
    },
    { what: "the page to show what happened" },
  );
  agent.tell("eth9", "DELETED");
  await eventually(async () => (await rows("interfaces")).length === 0, { what: "the interface to go" });
  t.deepEqual(browser.complaints, []);
});

inBrowser("values are found by key and by state", async (t) => {
  const changes = [interfaceChange("a1"), interfaceChange("a2"), interfaceChange("b", { mtu: REFUSED_MTU })];
  const { browser, rows } = await shown(t, (agent) => agent.send("POST", "/v1/transactions", { changes }));
  const choose = (id: string, value: string): Promise<unknown> =>
    browser.evaluate(
      `{ const field = document.getElementById("${id}"); field.value = "${value}"; field.dispatchEvent(new Event("input")); field.dispatchEvent(new Event("change")); }`,
    );
  await choose("key", "INTERFACE/A");
  await eventually(async () => (await rows("values")).length === 2, { what: "two keys" });
  await choose("key", "");
  await choose("state", "RETRYING");
  await eventually(async () => (await rows("values"))[0]?.[0] === `${KEY}b`, { what: "the value that is retried" });
  t.is((await rows("values")).length, 1);
});

inBrowser("what strangers sent is shown as text", async (t) => {
  const name = "<img src=x onerror=alert(1)>";
  const { agent, browser, rows } = await shown(t);
  agent.tell(name, "UP");
  await eventually(async () => (await rows("interfaces"))[0]?.[0] === name, { what: "the name" });
  t.is(await browser.evaluate("document.images.length"), 0);
});

inBrowser("a screen reader finds every table, field and heading by name", async (t) => {
  const { browser } = await shown(t);
  const found = await browser.accessible();
  const names = (role: string): readonly string[] =>
    found
      .filter((node) => node.role === role)
      .map(({ name }) => name)
      .sort();
  const titles = ["Health", "Interfaces", "Transactions", "Values"];
  t.deepEqual(names("table"), titles);
  t.deepEqual(names("heading"), [...titles, "t1"]);
  t.deepEqual([...names("searchbox"), ...names("combobox")], ["Key contains", "State"]);
  t.true(names("link").every((name) => name !== ""));
  for (const landmark of ["banner", "main"]) t.is(names(landmark).length, 1, landmark);
});
