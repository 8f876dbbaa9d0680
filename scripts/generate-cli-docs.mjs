// Writes docs/cli.md from the help of the commands.
//
//   node scripts/generate-cli-docs.mjs            write it
//   node scripts/generate-cli-docs.mjs --check    status 1 when it is not up to date
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { buildProgram } from "../dist/cli/program.js";
import { projectRoot } from "./steps.mjs";

const FILE = join(projectRoot, "docs/cli.md");
/** Columns, whatever the terminal is. */
const WIDTH = 120;

const INTRODUCTION = `# Command line

Printed from the commands' own help by \`node scripts/generate-cli-docs.mjs\`.

Every command but \`agent\`, \`flavors\`, \`plugins\` and \`config\` asks a running agent. Without options that is the one on this host, over
its local socket: \`--socket\` or \`TENUTO_SOCKET\`; else the socket of \`--label\` or \`TENUTO_LABEL\`; else of the host name; else of the only
agent that runs here. With \`--nats URL --label L\` it is any agent on that bus. These options, and \`-o\`, may stand before the command
as well: \`tenuto --label edge-7 status\`.

| status | |
|---|---|
| 0 | done |
| 1 | failed: the reason is on standard error. So is a file that cannot be read or understood, with its line and field |
| 2 | wrong usage of the command line |
| 3 | partly applied: some values failed and are being retried |

\`ifmgrctl\`, for interfaces that are configured when they are plugged in, is in [ifmgr.md](ifmgr.md).
`;

/** The command and, where it has some, those below it. */
function* commands(command, path) {
  if (command.commands.length === 0) yield { command, path };
  for (const below of command.commands) yield* commands(below, `${path} ${below.name()}`);
}

function helpOf(command) {
  let text = "";
  const writeOut = (piece) => {
    text += piece;
  };
  command.configureOutput({ writeOut, getOutHelpWidth: () => WIDTH, getOutHasColors: () => false }).outputHelp();
  return text.trimEnd();
}

const program = await buildProgram([]);
const sections = [...commands(program, "tenuto")].map(
  ({ command, path }) => `## ${path}\n\n\`\`\`\n${helpOf(command)}\n\`\`\`\n`,
);
const document = [INTRODUCTION, ...sections].join("\n");
if (process.argv.includes("--check")) {
  if (readFileSync(FILE, "utf8") !== document) {
    console.error("docs/cli.md is not what the commands say: run `node scripts/generate-cli-docs.mjs`");
    process.exitCode = 1;
  }
} else writeFileSync(FILE, document);
