import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Root } from "protobufjs";

/** Every message of the contract with its comments, which the descriptor that agents use does not have. */
export async function protoFiles(): Promise<Root> {
  const { default: protobuf } = await import("protobufjs");
  const directory = fileURLToPath(new URL("../../proto/", import.meta.url));
  const files = await readdir(directory, { recursive: true });
  const root = new protobuf.Root();
  root.resolvePath = (_, target) => (/^(\/|google\/)/.test(target) ? target : join(directory, target));
  await root.load(
    files.filter((name) => name.endsWith(".proto")),
    { keepCase: true, alternateCommentMode: true },
  );
  root.resolveAll();
  return root;
}
