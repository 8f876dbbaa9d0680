import { createRequire } from "node:module";
import { registerSchema, type SchemaObject, validate } from "@hyperjump/json-schema/draft-07";
import { validate as validateOpenApi } from "@hyperjump/json-schema/openapi-3-1";
import test from "ava";
import { CONFIG_REQUESTS, requestSubject } from "#proto/nats.js";
import { localAgent } from "./local-agent.js";

const ASYNCAPI_SCHEMA = "https://asyncapi.example/3.0.0";

test("/openapi.json is valid OpenAPI 3.1", async (t) => {
  const { ask } = await localAgent(t);
  const document = (await ask("GET", "/openapi.json")).json();
  const output = await validateOpenApi("https://spec.openapis.org/oas/3.1/schema-base", document as never, "BASIC");
  t.true(output.valid, JSON.stringify(output, undefined, 2).slice(0, 2000));
});

test("/asyncapi.json is valid AsyncAPI 3.0", async (t) => {
  const { ask } = await localAgent(t);
  const document = (await ask("GET", "/asyncapi.json")).json();
  const { schemasWithoutId } = createRequire(import.meta.url)("@asyncapi/specs") as {
    schemasWithoutId: Readonly<Record<string, SchemaObject>>;
  };
  registerSchema(schemasWithoutId["3.0.0"]!, ASYNCAPI_SCHEMA);
  const output = await validate(ASYNCAPI_SCHEMA, document as never, "BASIC");
  t.true(output.valid, JSON.stringify(output, undefined, 2).slice(0, 2000));
});

interface OpenApi {
  readonly paths: Readonly<Record<string, Readonly<Record<string, { readonly operationId: string }>>>>;
  readonly components: { readonly schemas: Readonly<Record<string, object>> };
}

test("every route is described, and nothing else is", async (t) => {
  const { ask } = await localAgent(t);
  const { paths } = (await ask("GET", "/openapi.json")).json<OpenApi>();
  const described = Object.entries(paths).flatMap(([path, operations]) =>
    Object.keys(operations).map((method) => `${method.toUpperCase()} ${path}`),
  );
  const { paths: routes } = (await ask("GET", "/nothing-is-here")).json<{ paths: readonly string[] }>();
  const served = routes.map((route) => route.replace(/[:*](\w+)/g, "{$1}"));
  t.deepEqual([...new Set(described)].sort(), [...new Set(served)].sort());
  const ids = Object.values(paths).flatMap((operations) =>
    Object.values(operations).map(({ operationId }) => operationId),
  );
  t.is(new Set(ids).size, ids.length);
});

test("every reference in both documents leads somewhere", async (t) => {
  const { ask } = await localAgent(t);
  for (const path of ["/openapi.json", "/asyncapi.json"]) {
    const answer = await ask("GET", path);
    for (const [, reference = ""] of answer.text.matchAll(/"\$ref":"#\/([^"]+)"/g)) {
      const target = reference
        .split("/")
        .reduce<unknown>((at, name) => (at as Record<string, unknown>)?.[name], answer.json());
      t.truthy(target, `${path}: ${reference}`);
    }
  }
});

test("messages are described as they are written: enums by name, 64-bit integers as strings", async (t) => {
  const { ask } = await localAgent(t);
  const { components } = (await ask("GET", "/openapi.json")).json<OpenApi>();
  t.like(components.schemas["tenuto.v1.TransactionResult"], {
    properties: {
      seq: { type: "integer", minimum: 0 },
      values: { type: "array", items: { $ref: "#/components/schemas/tenuto.v1.ValueStatus" } },
    },
  });
  t.like(
    components.schemas["ligato.linux.interfaces.InterfaceStatistics"] ??
      components.schemas["ligato.linux.interfaces.InterfaceState.Statistics"],
    {
      properties: { in_packets: { type: "string" } },
    },
  );
});

test("the messages' document has every subject that the agent answers on NATS", async (t) => {
  const { ask } = await localAgent(t);
  const { channels } = (await ask("GET", "/asyncapi.json")).json<{
    channels: Readonly<Record<string, { address: string | null }>>;
  }>();
  const addresses = new Set(Object.values(channels).map(({ address }) => address?.replace("{label}", "t1")));
  for (const request of CONFIG_REQUESTS) t.true(addresses.has(requestSubject("t1", request)), request);
  t.true(addresses.has("tenuto.t1.scheduler.graph"));
  t.true(addresses.has("tenuto.t1.commands"));
});
