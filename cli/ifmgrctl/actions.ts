import type { AgentClient } from "#client/client.js";
import type { InterfaceStatus } from "#proto/index.js";
import { columns } from "../columns.js";
import { UsageError } from "../exit.js";
import { type OutputFormat, print } from "../output.js";
import { USAGE } from "./usage.js";

/** Actions, and whether they are about one interface. */
const ACTIONS: Readonly<Record<string, { readonly takesName: boolean }>> = {
  apply: { takesName: false },
  plug: { takesName: true },
  register: { takesName: true },
  unplug: { takesName: true },
  unregister: { takesName: true },
};

/** What a command line asks for. */
export interface Order {
  /** Name of the request: an action, or `get`. */
  readonly request: string;
  /** Host name of the interface that it is about. */
  readonly name: string | undefined;
}

/** Throws `UsageError` for a command line that makes no sense. `environment` may have INTERFACE. */
export function orderOf(words: readonly string[], environment: NodeJS.ProcessEnv): Order {
  const [action, given, ...rest] = words;
  if (action === undefined) return { request: "get", name: undefined };
  const known = Object.hasOwn(ACTIONS, action) ? ACTIONS[action] : undefined;
  if (known === undefined) throw new UsageError(`there is no action "${action}"\n${USAGE}`);
  if (rest.length > 0 || (given !== undefined && !known.takesName)) {
    throw new UsageError(`too many arguments for ${action}\n${USAGE}`);
  }
  if (!known.takesName) return { request: action, name: undefined };
  const name = given || environment.INTERFACE;
  if (name) return { request: action, name };
  throw new UsageError(`which device? name it, or set INTERFACE\n${USAGE}`);
}

/** Carries an order out. Actions about one interface say nothing when all is well; events for others are ignored. */
export async function carryOut(
  client: AgentClient,
  { request, name }: Order,
  output: OutputFormat,
  note: (text: string) => void,
): Promise<void> {
  const answer = await client.request("ifmgr", request, name === undefined ? {} : { interface: name });
  const { interfaces = [] } = answer as { readonly interfaces?: readonly InterfaceStatus[] };
  if (name === undefined || output !== "table") return await print(output, interfaces, () => table(interfaces));
  if (interfaces.length === 0 && request !== "unregister") note(`${name} is not managed, ${request} is ignored`);
}

function table(interfaces: readonly InterfaceStatus[]): string {
  const rows = interfaces.map(({ interface: name = "", state = "UNPLUGGED", since = "", ...status }) => [
    name,
    state.toLowerCase(),
    since,
    String(status.candidate?.length ?? 0),
    String(status.running?.length ?? 0),
    status.error ?? "",
  ]);
  return columns(["interface", "state", "since", "candidate", "running", "error"], rows);
}
