import type { INamespace } from "protobufjs";
import { descriptor } from "#proto/generated/descriptor.js";
import { type MessageTable, Schema } from "./schema.js";

let shared: Schema | undefined;

/** Tenuto's own messages. Made once: it takes tens of milliseconds, and a process may run a thousand agents. */
function ownMessages(): Schema {
  shared ??= new Schema(descriptor);
  return shared;
}

/** Every message that one agent knows: Tenuto's own, and those that models of other packages bring along. */
export class MessageTypes {
  private readonly schemas = [ownMessages()];

  /** Adds messages. They may use Tenuto's own, whether or not their descriptor repeats them. */
  add(foreign: INamespace): void {
    this.schemas.push(new Schema(merge(descriptor, foreign)));
  }

  /** By full name. */
  find(name: string): MessageTable | undefined {
    for (const schema of this.schemas) {
      const message = schema.message(name);
      if (message) return message;
    }
    return undefined;
  }
}

/** What is in both stays as it is in `own`. */
function merge(own: INamespace, foreign: INamespace): INamespace {
  const nested = { ...foreign.nested, ...own.nested };
  for (const [name, space] of Object.entries(own.nested ?? {})) {
    const other = foreign.nested?.[name];
    if (other && isPackage(space) && isPackage(other)) nested[name] = merge(space, other);
  }
  return { ...own, nested };
}

/** Neither message nor enum, but what holds them. */
function isPackage(space: object): space is INamespace {
  return "nested" in space && !("fields" in space);
}
