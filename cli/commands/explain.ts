import { Command } from "commander";
import type { Enum, Field, Type } from "protobufjs";
import type { Model } from "#proto/models.js";
import { columns } from "../columns.js";
import { CommandError } from "../exit.js";
import { withExample } from "../help.js";
import { write } from "../output.js";
import { protoFiles } from "../proto-files.js";

/** `tenuto explain`: the documentation of models and their fields, from the comments of the .proto files. */
export function explainCommand(): Command {
  const command = new Command("explain")
    .summary("print the documentation of a model or field")
    .description(
      "Print what a model, or one of its fields, means, with the fields below it. Without an argument: all models. A model is named by its last word, its whole name or a key.",
    )
    .argument("[model[.field]]", "route, interface.vxlan.vni, config/linux/l3/v2/route/")
    .action(async (path?: string) => {
      await write(await explanation(path));
    });
  return withExample(command, "tenuto explain", "tenuto explain interface", "tenuto explain interface.vxlan.vni");
}

/** The text for a model, a field of one, or all models. Throws `CommandError` for what does not exist. */
export async function explanation(path: string | undefined): Promise<string> {
  const { models } = await import("#proto/models.js");
  if (path === undefined) {
    const rows = models.map((model) => [nameIn(models, model), `${model.prefix}…`, model.message]);
    return columns(["model", "keys", "message"], rows);
  }
  const [model, fields] = modelAt(models, path);
  const root = await protoFiles();
  const type = root.lookupType(model.message);
  const head = `model: ${model.name}\nkeys: ${model.prefix}…\nmessage: ${model.message}\n`;
  return fields.length === 0 ? `${head}\n${messageText(type)}` : `${head}${fieldText(type, fields)}`;
}

function shortName(name: string): string {
  return name.split(".").at(-1) ?? name;
}

/** The name by which it is found: the last word, except where an earlier model has that. */
export function nameIn(models: readonly Model<object>[], { name }: Model<object>): string {
  return models.find((each) => shortName(each.name) === shortName(name))?.name === name ? shortName(name) : name;
}

/** The model that a path begins with, and the names of the fields behind it. Throws `CommandError` when there is none. */
export function modelAt(models: readonly Model<object>[], path: string): readonly [Model<object>, readonly string[]] {
  const byKey = models.find(({ prefix }) => path.startsWith(prefix));
  if (byKey !== undefined) return [byKey, []];
  for (const model of models) {
    for (const name of [model.name, nameIn(models, model)]) {
      if (path === name) return [model, []];
      if (path.startsWith(`${name}.`)) return [model, path.slice(name.length + 1).split(".")];
    }
  }
  const names = models.map((model) => nameIn(models, model)).join(", ");
  throw new CommandError(`there is no model "${path.split(".")[0]}"; it is one of ${names}`);
}

function fieldText(type: Type, [name = "", ...rest]: readonly string[]): string {
  const field = type.fields[name]?.resolve();
  if (field === undefined) {
    throw new CommandError(`${type.name} has no field ${name}; it has ${Object.keys(type.fields).join(", ")}`);
  }
  const inner = field.resolvedType;
  if (rest.length > 0) {
    if (inner === null || !("fields" in inner))
      throw new CommandError(`${name} is no message, so it has no field ${rest[0]}`);
    return fieldText(inner, rest);
  }
  const own = `field: ${name} (${typeName(field)})\n${field.comment === null ? "" : `\n${field.comment}\n`}`;
  if (inner === null) return own;
  return `${own}\n${"fields" in inner ? messageText(inner) : enumText(inner)}`;
}

function messageText(type: Type): string {
  const rows = type.fieldsArray.map((field) => [field.name, typeName(field.resolve()), firstSentence(field.comment)]);
  return `${type.comment ? `${type.comment}\n\n` : ""}${columns(["field", "type", "meaning"], rows)}`;
}

function enumText(type: Enum): string {
  return columns(
    ["value", "meaning"],
    Object.keys(type.values).map((name) => [name, firstSentence(type.comments[name] ?? null)]),
  );
}

function typeName(field: Field): string {
  const { resolvedType } = field;
  const name = resolvedType === null ? field.type : resolvedType.name;
  if ("keyType" in field) return `map of ${field.keyType} to ${name}`;
  return field.repeated ? `list of ${name}` : name;
}

function firstSentence(comment: string | null): string {
  return (comment ?? "").replace(/\s+/g, " ");
}
