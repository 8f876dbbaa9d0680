import { isDeepStrictEqual } from "node:util";
import ava, { type ExecutionContext } from "ava";
import { HttpPlugin } from "#plugins/http/index.js";
import { eventually } from "#test/support/eventually.js";
import { browserProgram } from "#test/support/programs.js";
import { Browser } from "./browser.js";
import { exchange, interfaceChange, KEY, type LocalAgent, localAgent, REFUSED_MTU } from "./local-agent.js";

const WITH_TCP = { tcp: { enabled: true, port: 0 } };

/** One browser at a time. */
const test = ava.serial;

test("the page is one file that loads nothing from elsewhere, on the local socket and on TCP", async (t) => {
  const { agent, ask } = await localAgent(t, WITH_TCP);
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

interface Shown {
  readonly agent: LocalAgent;
  readonly browser: Browser;
  /** The text of a table's rows, cell by cell. */
  readonly rows: (id: string) => Promise<readonly (readonly string[])[]>;
}

async function opened(t: ExecutionContext, agent: LocalAgent, script?: string): Promise<Shown> {
  const browser = await Browser.start(program ?? "");
  t.teardown(() => browser.close());
  await browser.open(`http://127.0.0.1:${agent.agent.get(HttpPlugin).port}/`, script);
  const rows: Shown["rows"] = (id) =>
    browser.evaluate(
      `[...document.getElementById("${id}").rows].map((row) => [...row.cells].map((cell) => cell.textContent))`,
    );
  return { agent, browser, rows };
}

async function shown(t: ExecutionContext, prepare?: (agent: LocalAgent) => Promise<unknown>): Promise<Shown> {
  const agent = await localAgent(t, WITH_TCP);
  await prepare?.(agent);
  const page = await opened(t, agent);
  const live = (): Promise<boolean> =>
    page.browser.evaluate("document.getElementById('connection')?.textContent === 'Live.'");
  await eventually(live, { what: "the page to be live" });
  return page;
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

/** Holds the answers to the page's requests until `release` is called, and notes whether an event has come. */
const SLOW_ANSWERS = `{
  const real = fetch;
  const released = new Promise((resolve) => { window.release = resolve; });
  window.answers = 0;
  const listen = async (stream) => {
    for await (const text of stream.pipeThrough(new TextDecoderStream())) {
      if (text.includes("event: interface")) window.isTold = true;
    }
  };
  window.fetch = async (path, options) => {
    const answer = await real(path, options);
    if (path === "/v1/events") {
      const [mine, body] = answer.body.tee();
      listen(mine);
      return new Response(body, answer);
    }
    window.answers++;
    await released;
    return answer;
  };
}`;

inBrowser("what happens while the page is loaded is not lost", async (t) => {
  const agent = await localAgent(t, WITH_TCP);
  const { browser, rows } = await opened(t, agent, SLOW_ANSWERS);
  await eventually(() => browser.evaluate("window.answers === 4"), { what: "the answers" });
  agent.tell("eth9", "UP");
  await eventually(() => browser.evaluate("window.isTold"), { what: "the event" });
  await browser.evaluate("window.release()");
  t.true(await eventually(async () => (await rows("interfaces"))[0]?.[0] === "eth9", { what: "the interface" }));
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

inBrowser("what others sent is shown as text", async (t) => {
  const name = "<img src=x onerror=alert(1)>";
  const { agent, browser, rows } = await shown(t);
  agent.tell(name, "UP");
  await eventually(async () => (await rows("interfaces"))[0]?.[0] === name, { what: "the name" });
  t.is(await browser.evaluate("document.images.length"), 0);
});

inBrowser("a screen reader finds every table, field and heading by name", async (t) => {
  const { browser } = await shown(t);
  const titles = ["Health", "Interfaces", "Transactions", "Values"];
  const desired = { table: titles, heading: [...titles, "t1"], searchbox: ["Key contains"], combobox: ["State"] };
  let found: Awaited<ReturnType<Browser["accessible"]>> = [];
  const names = (role: string): readonly string[] =>
    found
      .filter((node) => node.role === role)
      .map(({ name }) => name)
      .sort();
  const namesOf = (roles: object): object => Object.fromEntries(Object.keys(roles).map((role) => [role, names(role)]));
  // The browser makes its description of the page a while after the page.
  await eventually(
    async () => {
      found = await browser.accessible();
      if (isDeepStrictEqual(namesOf(desired), desired)) return true;
      throw new Error(JSON.stringify(namesOf(desired)));
    },
    { what: "the page as a screen reader has it" },
  );
  t.true(names("link").every((name) => name !== ""));
  for (const landmark of ["banner", "main"]) t.is(names(landmark).length, 1, landmark);
});
