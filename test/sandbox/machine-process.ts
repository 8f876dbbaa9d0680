/** Runs the command that it is given in the machine, and says how that ended. */
import { runInMachine } from "#test/support/machine.js";

try {
  const status = await runInMachine({
    command: process.argv.slice(2),
    environment: {},
    onOutput: (text) => process.stdout.write(text),
    timeLimit: Number(process.env.TIME_LIMIT ?? 180_000),
  });
  process.stdout.write(`status ${status}\n`);
} catch (error) {
  process.stdout.write(`broke down: ${error instanceof Error ? error.message : error}\n`);
}
