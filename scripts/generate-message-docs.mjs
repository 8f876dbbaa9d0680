// Writes docs/messages.md: every message and enum of the .proto files, with each field, its number and what it means.
//
//   node scripts/generate-message-docs.mjs            write it
//   node scripts/generate-message-docs.mjs --check    status 1 when it is not up to date
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import protobuf from "protobufjs";

const SOURCE = fileURLToPath(new URL("../proto/", import.meta.url));
const FILE = fileURLToPath(new URL("../docs/messages.md", import.meta.url));

const INTRODUCTION = `# Messages

Every message of the contract with its fields and their numbers, as the \`.proto\` files have them. Keys, encodings and rules are in
[contract.md](contract.md).

Printed from \`proto/\` by \`node scripts/generate-message-docs.mjs\`.
`;

function parse() {
  const files = readdirSync(SOURCE, { recursive: true }).filter((name) => name.endsWith(".proto"));
  const root = new protobuf.Root();
  root.resolvePath = (_origin, target) =>
    target.startsWith("google/") || target.startsWith("/") ? target : join(SOURCE, target);
  root.loadSync(files.map((name) => join(SOURCE, name)).sort(), { keepCase: true, alternateCommentMode: true });
  root.resolveAll();
  return root;
}

/** Messages and enums of a namespace, outermost first; not those that come with protobuf itself. */
function* types(namespace) {
  for (const nested of namespace.nestedArray) {
    if (nested.fullName === ".google") continue;
    if (nested instanceof protobuf.Type || nested instanceof protobuf.Enum) yield nested;
    if (nested instanceof protobuf.Namespace) yield* types(nested);
  }
}

/** A comment in one cell of a table. */
function cell(comment) {
  return (comment ?? "").replaceAll("\n", " ").replaceAll("|", "\\|").replaceAll("<", "&lt;");
}

function typeOf(field) {
  const own = field.resolvedType?.fullName.slice(1) ?? field.type;
  if (field instanceof protobuf.MapField) return `map of ${field.keyType} to ${own}`;
  return field.repeated ? `list of ${own}` : own;
}

function meaningOf(field) {
  const { partOf } = field;
  const isAlternative = partOf !== null && partOf !== undefined && partOf.fieldsArray.length > 1;
  const alternative = isAlternative ? `One of \`${partOf.name}\`.` : "";
  return [cell(field.comment), alternative].filter((text) => text !== "").join(" ");
}

function table(head, rows) {
  return [
    `| ${head} |`,
    `|${head
      .split("|")
      .map(() => "---")
      .join("|")}|`,
    ...rows,
  ].join("\n");
}

function section(type) {
  const isEnum = type instanceof protobuf.Enum;
  const body = isEnum
    ? table(
        "value | number | ",
        Object.entries(type.values).map(
          ([name, number]) => `| \`${name}\` | ${number} | ${cell(type.comments[name])} |`,
        ),
      )
    : table(
        "field | number | type | ",
        [...type.fieldsArray]
          .sort((a, b) => a.id - b.id)
          .map((field) => `| \`${field.name}\` | ${field.id} | ${typeOf(field)} | ${meaningOf(field)} |`),
      );
  const hasRows = isEnum || type.fieldsArray.length > 0;
  const parts = [`## ${type.fullName.slice(1)}`, type.comment, hasRows ? body : "It has no fields."];
  return `${parts.filter((part) => part).join("\n\n")}\n`;
}

const document = [INTRODUCTION, ...[...types(parse())].map(section)].join("\n");
if (process.argv.includes("--check")) {
  if (readFileSync(FILE, "utf8") !== document) {
    console.error("docs/messages.md is not what proto/ says: run `node scripts/generate-message-docs.mjs`");
    process.exitCode = 1;
  }
} else writeFileSync(FILE, document);
