/** The JSON Schema of configuration files, against a validator that is not ours: it takes what the agent takes, and no slips. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { Ajv2020 } from "ajv/dist/2020.js";
import test from "ava";
import { parse } from "yaml";
import { documentSchema, valueSchema } from "#cli/commands/schema.js";
import { CommandError } from "#cli/exit.js";
import { projectRoot } from "#test/support/project.js";

const INTERFACE = "config/linux/interfaces/v2/interface/a";

const GOOD = [
  [],
  { changes: [] },
  { linuxConfig: {} },
  { id: "x", atomic: true, mode: "REPLACE", changes: [{ key: INTERFACE, delete: true }] },
  [{ key: INTERFACE, value: { name: "a", type: "VXLAN", vxlan: { vni: 5 }, ip_addresses: ["10.0.0.1/24"] } }],
  [{ key: "config/of/a/plugin/x", value: { anything: 1 } }],
];

const BAD = [
  { changes: [{ key: INTERFACE, value: { name: "a", colour: "red" } }] },
  [{ key: INTERFACE, value: { name: "a", type: "ETHER" } }],
  [{ key: INTERFACE, value: { name: "a", mtu: "large" } }],
  [{ value: { name: "a" } }],
  { linuxConfig: { interface: [] } },
  { linuxConfig: { interfaces: [{ name: "a", vxlan: { vnid: 5 } }] } },
  { nothing: [] },
];

/** Without the rules of its own that go beyond the standard: a `$ref` may have a description beside it. */
const ajv = new Ajv2020({ strict: false });

test("a document that the agent takes fits its schema, and one with a slip does not", async (t) => {
  const fits = ajv.compile(await documentSchema());
  for (const document of GOOD) t.true(fits(document), JSON.stringify([document, fits.errors]));
  for (const document of BAD) t.false(fits(document), JSON.stringify(document));
  for (const example of ["quickstart/network.yaml", "first-message/transaction.json"]) {
    const document: unknown = parse(await readFile(join(projectRoot, "examples", example), "utf8"));
    t.true(fits(document), JSON.stringify([example, fits.errors]));
  }
});

test("every field of a value has its documentation", async (t) => {
  const { $defs } = await valueSchema("route");
  const { properties } = ($defs as Readonly<Record<string, { readonly properties: object }>>)["ligato.linux.l3.Route"]!;
  for (const [name, field] of Object.entries(properties)) t.regex(field.description ?? "", /\w/, name);
});

test("there is no schema of what is no model", async (t) => {
  await t.throwsAsync(valueSchema("street"), { instanceOf: CommandError, message: /no model "street"/ });
});
