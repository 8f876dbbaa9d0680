import { CONTENT_TYPE } from "#core/model/types.js";
import type { RequestGroup } from "#core/northbound/index.js";
import { type JsonSchema, messageSchemas, refTo } from "./message-schemas.js";
import { type ApiAnswer, type ApiOperation, OPERATIONS } from "./operations.js";

const ERROR: JsonSchema = {
  type: "object",
  required: ["error"],
  properties: {
    error: {
      type: "object",
      required: ["code", "message"],
      properties: {
        code: { type: "string", description: "Stable, in capitals." },
        message: { type: "string" },
        key: { type: "string", description: "The key that it is about." },
        field: { type: "string", description: "The field or argument that it is about." },
      },
    },
  },
};

/** The HTTP API in OpenAPI 3.1, with the requests of plugins. */
export function openApi(version: string, groups: readonly RequestGroup[]): object {
  const tagged = [
    ...Object.entries(OPERATIONS),
    ...groups.map((group) => [group.name, groupOperations(group)] as const),
  ];
  const all = tagged.flatMap(([tag, operations]) => operations.map((operation) => ({ tag, operation })));
  const paths: Record<string, Record<string, object>> = {};
  for (const { tag, operation } of all) {
    const [method = "", path = ""] = operation.route.split(" ");
    paths[path] = { ...paths[path], [method.toLowerCase()]: operationObject(tag, operation) };
  }
  return {
    openapi: "3.1.0",
    info: {
      title: "Tenuto agent",
      version,
      description: "On the local socket, and on TCP where the configuration enables it.",
      license: { name: "Apache-2.0", identifier: "Apache-2.0" },
    },
    tags: tagged.map(([name]) => ({ name })),
    paths,
    components: { schemas: { ...messageSchemas(all.flatMap(({ operation }) => messagesOf(operation))), Error: ERROR } },
  };
}

function groupOperations({ name, requests }: RequestGroup): readonly ApiOperation[] {
  return Object.entries(requests).flatMap(([request, { message, reply, safe }]): readonly ApiOperation[] => {
    const path = `/v1/${name}/${request}` as const;
    const answer: ApiAnswer = { message: reply };
    const post: ApiOperation = { route: `POST ${path}`, summary: `${name}: ${request}`, body: message, answer };
    return safe === true ? [post, { route: `GET ${path}`, summary: `${name}: ${request}`, answer }] : [post];
  });
}

function messagesOf({ body, answer }: ApiOperation): readonly string[] {
  const answered = "message" in answer ? [answer.message] : "listOf" in answer ? [answer.listOf] : [];
  return [...(body === undefined || body === "value" ? [] : [body]), ...answered];
}

function operationObject(tag: string, operation: ApiOperation): object {
  const { route, summary, query = {}, body } = operation;
  return {
    tags: [tag],
    summary,
    operationId: operationId(route),
    parameters: [...pathParameters(route), ...Object.entries(query).map(queryParameter)],
    ...(body === undefined ? {} : { requestBody: { required: body !== "value", content: content(bodySchema(body)) } }),
    responses: responses(operation),
  };
}

/** `POST /v1/transactions/{id}/confirm`: `postV1TransactionsIdConfirm`. */
function operationId(route: string): string {
  const [method = "", ...words] = route.toLowerCase().match(/[a-z0-9]+/g) ?? [];
  return method + words.map((word) => word.charAt(0).toUpperCase() + word.slice(1)).join("");
}

function pathParameters(route: string): readonly object[] {
  return [...route.matchAll(/\{(\w+)\}/g)].map(([, name]) => ({
    name,
    in: "path",
    required: true,
    schema: { type: "string" },
    ...(name === "key" ? { description: "A key; its slashes stay as they are." } : {}),
  }));
}

function queryParameter([name, description]: readonly [string, string]): object {
  return { name, in: "query", description, schema: { type: "string" } };
}

function bodySchema(body: string): JsonSchema {
  return body === "value" ? { type: "object", description: "The message that the key stands for." } : refTo(body);
}

function content(schema: JsonSchema): object {
  return { [CONTENT_TYPE.json]: { schema }, [CONTENT_TYPE.protobuf]: {} };
}

function responses({ body, answer }: ApiOperation): object {
  const rejected = "message" in answer && answer.message.endsWith(".TransactionResult") && body !== undefined;
  return {
    200: { description: "Done.", content: answerContent(answer) },
    ...(rejected
      ? { 422: { description: "Rejected: invalid, nothing was touched.", content: answerContent(answer) } }
      : {}),
    default: { description: "An error.", content: { [CONTENT_TYPE.json]: { schema: refTo("Error") } } },
  };
}

function answerContent(answer: ApiAnswer): object {
  if ("message" in answer) return content(refTo(answer.message));
  if ("listOf" in answer) return { [CONTENT_TYPE.json]: { schema: { type: "array", items: refTo(answer.listOf) } } };
  if ("media" in answer) return { [answer.media]: {} };
  return { [CONTENT_TYPE.json]: { schema: { description: `As Ligato's REST API answers: ${answer.ligato}.` } } };
}
