// Reads every .proto file below proto/ and writes proto/generated/:
//
//   <package>.ts    interfaces, and enums as tables of name to number, with the comments of the .proto files
//   descriptor.ts   the same as data, for the codecs: nothing is parsed when an agent starts
//   index.ts        all types
//
// Does nothing when the output is newer than this script, every source, and every source's folder: that tells of a
// source that went.
import { mkdirSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import protobuf from "protobufjs";

const SOURCE = fileURLToPath(new URL("../proto/", import.meta.url));
const OUTPUT = join(SOURCE, "generated");
const STAMP = join(OUTPUT, "index.ts");
const HEADER = "// Generated from the .proto files by scripts/generate-proto.mjs. Not to be edited.\n";

// Messages of this package are written in full, so their fields are never missing once decoded.
const WRITTEN_IN_FULL = "tenuto.v1";

const SCALARS = new Map([
  ["string", "string"],
  ["bool", "boolean"],
  ["bytes", "string"],
  ...["double", "float", "int32", "uint32", "sint32", "fixed32", "sfixed32"].map((name) => [name, "number"]),
  ...["int64", "uint64", "sint64", "fixed64", "sfixed64"].map((name) => [name, "string"]),
]);
const UNITS = new Map([
  ["bytes", "Base64."],
  ...["int64", "uint64", "sint64", "fixed64", "sfixed64"].map((name) => [name, "Decimal, 64 bits."]),
]);

function protoFiles() {
  return readdirSync(SOURCE, { recursive: true })
    .filter((name) => name.endsWith(".proto"))
    .map((name) => join(SOURCE, name))
    .sort();
}

function isUpToDate(sources) {
  const written = statSync(STAMP, { throwIfNoEntry: false })?.mtimeMs ?? 0;
  const inputs = [...sources, ...sources.map(dirname), fileURLToPath(import.meta.url)];
  return inputs.every((path) => statSync(path).mtimeMs < written);
}

function parse(files) {
  const root = new protobuf.Root();
  root.resolvePath = (_origin, target) =>
    target.startsWith("google/") || target.startsWith("/") ? target : join(SOURCE, target);
  root.loadSync(files, { keepCase: true, alternateCommentMode: true });
  root.resolveAll();
  return root;
}

/** Messages and enums below a namespace, outermost first. */
function* types(namespace) {
  for (const nested of namespace.nestedArray) {
    if (nested instanceof protobuf.Type || nested instanceof protobuf.Enum) yield nested;
    if (nested instanceof protobuf.Namespace) yield* types(nested);
  }
}

/**
 * `ligato.linux.interfaces` of a message or enum, and what its type is called: `InterfaceType` for `Interface.Type`.
 */
function place(type) {
  const names = [type.name];
  let parent = type.parent;
  for (; parent instanceof protobuf.Type; parent = parent.parent) names.unshift(parent.name);
  return { packageName: parent.fullName.slice(1), typeName: names.join("") };
}

function doc(comment, indent, unit = undefined) {
  const lines = [...(comment ? comment.split("\n") : []), ...(unit ? [unit] : [])];
  if (lines.length === 0) return "";
  if (lines.length === 1) return `${indent}/** ${lines[0]} */\n`;
  return `${indent}/**\n${lines.map((line) => `${indent} * ${line}\n`).join("")}${indent} */\n`;
}

function fieldType(field) {
  const typeOf = (name, resolved) => {
    if (resolved === null) return SCALARS.get(name);
    return resolved.fullName === ".google.protobuf.Any" ? "object" : place(resolved).typeName;
  };
  const type = typeOf(field.type, field.resolvedType);
  if (field.map) return `Readonly<Record<string, ${type}>>`;
  return field.repeated ? `readonly ${type}[]` : type;
}

/** Whether "not there" differs from the default value, so that a decoded message may lack the field. */
function hasPresence(field) {
  if (field.repeated || field.map) return false;
  return field.partOf !== null || field.resolvedType instanceof protobuf.Type;
}

/** Aliases are left out: they are read, and never written. */
function printEnum(type, typeName) {
  const entries = Object.entries(type.values)
    .filter(([name, number]) => type.valuesById[number] === name)
    .map(([name, number]) => `${doc(type.comments[name], "  ")}  ${name}: ${number},\n`)
    .join("");
  const union = `export type ${typeName} = keyof typeof ${typeName};\n`;
  return `${doc(type.comment, "")}export const ${typeName} = {\n${entries}} as const;\n${union}`;
}

function printMessage(type, typeName, packageName) {
  const fields = type.fieldsArray.map((field) => {
    const required = packageName === WRITTEN_IN_FULL && !hasPresence(field);
    const alternatives = field.partOf?.isProto3Optional === false ? [`One of \`${field.partOf.name}\`.`] : [];
    const comment = [...(field.comment ? [field.comment] : []), ...alternatives].join("\n");
    const name = `readonly ${field.name}${required ? "" : "?"}`;
    return `${doc(comment, "  ", UNITS.get(field.type))}  ${name}: ${fieldType(field)};\n`;
  });
  return `${doc(type.comment, "")}export interface ${typeName} {\n${fields.join("")}}\n`;
}

/** Names of the types that the fields of a message use, by package. */
function* usedTypes(type) {
  for (const field of type.fieldsArray) {
    if (field.resolvedType && field.resolvedType.fullName !== ".google.protobuf.Any") yield place(field.resolvedType);
  }
}

function packageFiles(root) {
  const files = new Map();
  const owners = new Map();
  for (const type of types(root)) {
    const { packageName, typeName } = place(type);
    if (packageName.startsWith("google.")) continue;
    const owner = owners.get(typeName);
    if (owner) throw new Error(`${type.fullName} and ${owner} would both be the type ${typeName}`);
    owners.set(typeName, type.fullName);
    const file = files.get(packageName) ?? { imports: new Map(), blocks: [] };
    files.set(packageName, file);
    if (type instanceof protobuf.Enum) {
      file.blocks.push(printEnum(type, typeName));
      continue;
    }
    file.blocks.push(printMessage(type, typeName, packageName));
    for (const used of usedTypes(type)) {
      if (used.packageName === packageName) continue;
      const names = file.imports.get(used.packageName) ?? new Set();
      file.imports.set(used.packageName, names.add(used.typeName));
    }
  }
  return files;
}

function printPackage({ imports, blocks }) {
  const lines = [...imports]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, types]) => `import type { ${[...types].sort().join(", ")} } from "./${name}.js";\n`);
  return [HEADER, lines.join(""), ...blocks].filter((block) => block !== "").join("\n");
}

function printDescriptor(root) {
  // As JSON text, because it is parsed faster than an object literal, and compiled in no time.
  const text = JSON.stringify(JSON.stringify(root.toJSON()));
  const declaration = `export const descriptor: INamespace = JSON.parse(${text});\n`;
  return `${HEADER}import type { INamespace } from "protobufjs";\n\n${declaration}`;
}

function generate(sources) {
  const root = parse(sources);
  const files = packageFiles(root);
  rmSync(OUTPUT, { recursive: true, force: true });
  mkdirSync(OUTPUT, { recursive: true });
  for (const [name, file] of files) writeFileSync(join(OUTPUT, `${name}.ts`), printPackage(file));
  writeFileSync(join(OUTPUT, "descriptor.ts"), printDescriptor(root));
  const exports = [...files.keys()].sort().map((name) => `export * from "./${name}.js";\n`);
  writeFileSync(STAMP, `${HEADER}${exports.join("")}`);
}

const sources = protoFiles();
if (!isUpToDate(sources)) {
  generate(sources);
  console.log(`${relative(process.cwd(), OUTPUT)}: types of ${sources.length} .proto files`);
}
