import { type Command, Option } from "commander";
import { connectionOptions } from "./connection.js";
import { UsageError } from "./exit.js";
import { outputOption } from "./output.js";

/** What may stand before the command as well as behind it. Every one of them takes a value. */
function globalOptions(): readonly Option[] {
  return [...connectionOptions(), outputOption()];
}

/**
 * Lets `tenuto --label t1 status` say what `tenuto status --label t1` says. What stands behind the command wins; an
 * option that the command does not have is refused, rather than ignored.
 */
export function withGlobalOptions(program: Command): Command {
  for (const option of globalOptions()) program.addOption(plain(option));
  return program.enablePositionalOptions().hook("preAction", (_program, command) => {
    for (const option of program.options) {
      const name = option.attributeName();
      if (program.getOptionValueSource(name) !== "cli" || command === program) continue;
      if (!command.options.some((own) => own.attributeName() === name)) {
        throw new UsageError(`\`${pathOf(command)}\` has no option ${option.long ?? option.flags}`);
      }
      if (command.getOptionValueSource(name) === "cli") continue;
      command.setOptionValueWithSource(name, program.getOptionValue(name), "cli");
    }
  });
}

/** The first word of a command line that is neither a global option nor the value of one. */
export function commandWord(words: readonly string[]): string | undefined {
  const options = globalOptions();
  for (let index = 0; index < words.length; index += 1) {
    const word = words[index] ?? "";
    if (!word.startsWith("-")) return word;
    if (options.some(({ short, long }) => word === short || word === long)) index += 1;
  }
  return undefined;
}

/** The option without its default and its environment variable, which the command's own one has. */
function plain({ flags, description, argChoices, parseArg }: Option): Option {
  const option = new Option(flags, description);
  if (argChoices !== undefined) return option.choices(argChoices);
  return parseArg === undefined ? option : option.argParser(parseArg);
}

function pathOf(command: Command): string {
  return command.parent === null ? command.name() : `${pathOf(command.parent)} ${command.name()}`;
}
