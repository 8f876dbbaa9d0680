import { Command } from "commander";
import { endThreadAhead, startThreadAhead } from "#plugins/netlink/ahead.js";
import { type AgentChoice, agentOptions, withConfiguration } from "../agent-options.js";
import { withExample } from "../help.js";
import { write } from "../output.js";
import { preload } from "../preload.js";
import { secretsWarning } from "../visible-secrets.js";

interface AgentCommandOptions extends AgentChoice {
  readonly check?: true;
}

/** `tenuto agent`: runs an agent until SIGINT or SIGTERM. */
export function agentCommand(): Command {
  const command = withConfiguration(
    new Command("agent").summary("run an agent").description("Run an agent, until it is interrupted."),
  )
    .option("--check", "only check flavor and configuration, and start nothing")
    .action(async (options: AgentCommandOptions) => {
      const warning = secretsWarning(process.argv.slice(2));
      if (warning !== undefined) process.stderr.write(warning);
      if (!options.check) startThreadAhead();
      preload("#core/agent/index.js");
      const [{ Agent, runAgent }, chosen] = await Promise.all([import("#core/agent/index.js"), agentOptions(options)]);
      if (!chosen.flavor.has("netlink")) await endThreadAhead();
      const agent = new Agent(chosen);
      if (!options.check) return runAgent(agent);
      const { label, flavor, plugins } = agent.info;
      await write(`the configuration is good: agent ${label}, flavor ${flavor} (${plugins.join(", ")})\n`);
    });
  return withExample(
    command,
    "tenuto agent --flavor embedded --set file.path=/etc/tenuto",
    "tenuto agent --nats nats://127.0.0.1:4222 --label edge-7",
    "tenuto agent --config tenuto.yaml --check",
  );
}
