import { Argument, Command, type Option } from "commander";
import type { AgentClient } from "#client/client.js";
import type { InterfaceState, InterfaceStates } from "#proto/index.js";
import { type ConnectionOptions, withClient, withConnection } from "../connection.js";
import { withExample } from "../help.js";
import { write } from "../output.js";
import { buildProgram } from "../program.js";

const SHELLS = ["bash", "zsh", "fish"] as const;
type Shell = (typeof SHELLS)[number];

/**
 * What each shell does: it hands over the words before the cursor, and gets a word a line. Where there is none, it offers files.
 * Keys hold colons, at which bash breaks words unless bash-completion puts them together again.
 */
const SCRIPTS: Readonly<Record<Shell, string>> = {
  bash: `_tenuto() {
  local cur words cword
  if declare -F _get_comp_words_by_ref >/dev/null; then _get_comp_words_by_ref -n : cur words cword
  else words=("\${COMP_WORDS[@]}") cword=$COMP_CWORD cur=\${COMP_WORDS[COMP_CWORD]}; fi
  mapfile -t COMPREPLY < <(tenuto complete -- "\${words[@]:1:cword}" 2>/dev/null)
  if declare -F __ltrim_colon_completions >/dev/null; then __ltrim_colon_completions "$cur"; fi
}
complete -o default -F _tenuto tenuto
`,
  zsh: `#compdef tenuto
_tenuto() {
  local -a found
  found=("\${(@f)$(tenuto complete -- "\${(@)words[2,CURRENT]}" 2>/dev/null)}")
  if [[ -n "\${found[1]}" ]]; then compadd -a found; else _files; fi
}
compdef _tenuto tenuto
`,
  fish: `function __tenuto_complete
    set -l words (commandline -opc)
    tenuto complete -- $words[2..-1] (commandline -ct) 2>/dev/null
end
complete -c tenuto -a '(__tenuto_complete)'
`,
};

/** So many keys are offered. */
const MOST_KEYS = 500;
/** A shell waits for this; ms. */
const PATIENCE = 2000;

/** `tenuto completion`. */
export function completionCommand(): Command {
  const command = new Command("completion")
    .summary("print a script that completes command lines")
    .description(
      "Print a script with which a shell completes commands, options and, from the agent that runs here, keys and names of interfaces.",
    )
    .addArgument(new Argument("<shell>").choices(SHELLS))
    .action(async (shell: Shell) => {
      await write(SCRIPTS[shell]);
    });
  return withExample(
    command,
    "source <(tenuto completion bash)",
    "tenuto completion zsh > ~/.zfunc/_tenuto",
    "tenuto completion fish > ~/.config/fish/completions/tenuto.fish",
  );
}

/** What the scripts call, with the words behind `tenuto` up to the cursor. */
export function completeCommand(): Command {
  const command = new Command("complete")
    .description("Print what may stand in place of the last word: used by the scripts of `tenuto completion`.")
    .argument("[words...]")
    .action(async (words: readonly string[]) => {
      const found = await candidates(words, namesFromAgent);
      await write(found.map((each) => `${each}\n`).join(""));
    });
  return withExample(withConnection(command), "tenuto complete -- status --pen");
}

/** Names of values (`key`) or interfaces that begin with a prefix. None when there is no agent to ask. */
export type Names = (
  asked: { readonly kind: "key" | "name"; readonly prefix: string },
  words: readonly string[],
) => Promise<readonly string[]>;

/** What may stand in place of the last word of a command line. */
export async function candidates(words: readonly string[], names: Names): Promise<readonly string[]> {
  const current = words.at(-1) ?? "";
  const earlier = words.slice(0, -1);
  const beginning = (all: readonly string[]): readonly string[] => all.filter((each) => each.startsWith(current));
  const program = await buildProgram(earlier);
  const { command, position } = commandOf(program, earlier);
  const before = optionOf(command, earlier.at(-1));
  if (before !== undefined && takesValue(before)) return beginning(before.argChoices ?? []);
  if (current.startsWith("-")) {
    return beginning([...command.options.flatMap(({ long }) => long ?? []), "--help"]);
  }
  const commands = command.commands.filter((each) => each.name() !== "complete").map((each) => each.name());
  if (commands.length > 0) return beginning(commands);
  const argument = command.registeredArguments.at(Math.min(position, command.registeredArguments.length - 1));
  if (argument === undefined) return [];
  if (argument.argChoices !== undefined) return beginning(argument.argChoices);
  const kind = argument.name();
  if (kind === "key" || kind === "prefix") return await names({ kind: "key", prefix: current }, earlier);
  if (kind === "name") return await names({ kind: "name", prefix: current }, earlier);
  return kind.startsWith("model") ? beginning(await modelNames()) : [];
}

/** The command that the words lead to, and how many of its arguments are there. */
function commandOf(
  program: Command,
  words: readonly string[],
): { readonly command: Command; readonly position: number } {
  let command = program;
  let position = 0;
  for (let index = 0; index < words.length; index += 1) {
    const word = words[index] ?? "";
    const option = optionOf(command, word);
    if (option !== undefined && takesValue(option)) index += 1;
    else if (!word.startsWith("-")) {
      const inner = command.commands.find((each) => each.name() === word);
      if (inner === undefined) position += 1;
      else command = inner;
    }
  }
  return { command, position };
}

function optionOf(command: Command, word: string | undefined): Option | undefined {
  return command.options.find(({ short, long }) => word !== undefined && (word === short || word === long));
}

function takesValue({ required, optional }: Option): boolean {
  return required || optional;
}

async function modelNames(): Promise<readonly string[]> {
  const [{ models }, { nameIn }] = await Promise.all([import("#proto/models.js"), import("./explain.js")]);
  return models.map((model) => nameIn(models, model));
}

/** From the agent that the words name. That there is none, or that it is slow, is nothing to say while somebody types. */
const namesFromAgent: Names = async ({ kind, prefix }, words) => {
  const options = withConnection(new Command().exitOverride().allowUnknownOption().allowExcessArguments());
  try {
    options.configureOutput({ writeErr: () => undefined }).parse(words, { from: "user" });
    const address = { ...options.opts<ConnectionOptions>(), timeout: PATIENCE };
    return await withClient(address, async (client) => {
      const all = kind === "key" ? await client.status({ prefix }) : await interfacesOf(client);
      const found = all.map((each) => ("key" in each ? each.key : (each.name ?? "")));
      return found.filter((name) => name.startsWith(prefix)).slice(0, MOST_KEYS);
    });
  } catch {
    return [];
  }
};

async function interfacesOf(client: AgentClient): Promise<readonly InterfaceState[]> {
  const { interfaces = [] } = (await client.request("interfaces", "get", {})) as InterfaceStates;
  return interfaces;
}
