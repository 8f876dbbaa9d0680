const IN_ADDRESS = /^[a-z][a-z0-9+.-]*:\/\/[^\s/@]+@/i;
const IN_SETTING = /^([\w-]+\.)*[\w]*(password|token|secret|seed)=./i;

/** What of a command line is a secret that every user of the host can read there, without the secret itself. */
export function visibleSecrets(words: readonly string[]): readonly string[] {
  return words.flatMap((word, index) => {
    const text = word.startsWith("--") ? word.slice(word.indexOf("=") + 1) : word;
    const option = word.startsWith("--") ? (word.split("=", 1)[0] ?? "") : (words[index - 1] ?? "");
    const [, setting] = /^([\w.-]+)=(?:[a-z][a-z0-9+.-]*:\/\/[^\s/@]+@)?/i.exec(text) ?? [];
    if (IN_SETTING.test(text)) return [`--set ${setting ?? ""}`];
    const address = setting === undefined ? text : text.slice(setting.length + 1);
    if (!address.split(",").some((one) => IN_ADDRESS.test(one))) return [];
    return [setting === undefined ? option : `--set ${setting}`];
  });
}

/** For the person who started the agent; `undefined` when there is nothing to say. */
export function secretsWarning(words: readonly string[]): string | undefined {
  const found = visibleSecrets(words);
  if (found.length === 0) return undefined;
  return (
    `warning: every user of this host can read the secret in ${found.join(", ")} on the command line (ps); ` +
    "put it into a file: nats.password_file, nats.token_file, nats.credentials_file, kafka.sasl.password_file\n"
  );
}
