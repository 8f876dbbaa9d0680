import { readFileSync } from "node:fs";
import { type Argument, Command } from "commander";
import { commandWord, withGlobalOptions } from "./global-options.js";

/** Every command, in the order of the help. A command's module is loaded when the command is used, or for the help. */
const COMMANDS: Readonly<Record<string, () => Promise<Command>>> = {
  agent: async () => (await import("./commands/agent.js")).agentCommand(),
  apply: async () => (await import("./commands/apply.js")).applyCommand(),
  plan: async () => (await import("./commands/plan.js")).planCommand(),
  confirm: async () => (await import("./commands/confirm.js")).confirmCommand(),
  cancel: async () => (await import("./commands/confirm.js")).cancelCommand(),
  get: async () => (await import("./commands/get.js")).getCommand(),
  put: async () => (await import("./commands/put.js")).putCommand(),
  delete: async () => (await import("./commands/delete.js")).deleteCommand(),
  dump: async () => (await import("./commands/dump.js")).dumpCommand(),
  diff: async () => (await import("./commands/diff.js")).diffCommand(),
  status: async () => (await import("./commands/status.js")).statusCommand(),
  describe: async () => (await import("./commands/describe.js")).describeCommand(),
  interfaces: async () => (await import("./commands/interfaces.js")).interfacesCommand(),
  explain: async () => (await import("./commands/explain.js")).explainCommand(),
  schema: async () => (await import("./commands/schema.js")).schemaCommand(),
  history: async () => (await import("./commands/history.js")).historyCommand(),
  graph: async () => (await import("./commands/graph.js")).graphCommand(),
  watch: async () => (await import("./commands/watch.js")).watchCommand(),
  resync: async () => (await import("./commands/resync.js")).resyncCommand(),
  flavors: async () => (await import("./commands/flavors.js")).flavorsCommand(),
  plugins: async () => (await import("./commands/plugins.js")).pluginsCommand(),
  config: async () => (await import("./commands/config.js")).configCommand(),
  completion: async () => (await import("./commands/completion.js")).completionCommand(),
};

/** Commands that programs use, in no help. */
const HIDDEN: typeof COMMANDS = {
  complete: async () => (await import("./commands/completion.js")).completeCommand(),
};

/** The program for one command line: with the command that it names, or with all of them when it names none. */
export async function buildProgram(words: readonly string[]): Promise<Command> {
  const program = withGlobalOptions(new Command("tenuto"))
    .description("Holds this host's network in the state that a message bus asked for.")
    .version(version(), "-V, --version", "print the version")
    .helpCommand("help [command]", "print the help of a command")
    .configureHelp({
      subcommandTerm: (command) => [command.name(), ...command.registeredArguments.map(argumentTerm)].join(" "),
    })
    .showHelpAfterError("(`--help` shows how it is used)")
    .addHelpText(
      "after",
      "\nExample:\n  $ tenuto agent --flavor embedded &\n  $ tenuto apply -f network.yaml\n  $ tenuto status",
    );
  const word = commandWord(words) ?? "";
  const load = COMMANDS[word] ?? HIDDEN[word];
  const commands = load === undefined ? Object.values(COMMANDS) : [load];
  for (const one of await Promise.all(commands.map((loader) => loader())))
    program.addCommand(one, { hidden: one.name() in HIDDEN });
  if (words.length === 0) program.action(() => program.outputHelp());
  return throwingErrors(program);
}

/** Commander ends the process by itself unless it is told, command by command, to throw. */
function throwingErrors(command: Command): Command {
  command.exitOverride().copyInheritedSettings(command.parent ?? command);
  for (const one of command.commands) throwingErrors(one);
  return command;
}

function argumentTerm(argument: Argument): string {
  const name = argument.name() + (argument.variadic ? "..." : "");
  return argument.required ? `<${name}>` : `[${name}]`;
}

function version(): string {
  const file = readFileSync(new URL("../../package.json", import.meta.url), "utf8");
  return (JSON.parse(file) as { version: string }).version;
}
