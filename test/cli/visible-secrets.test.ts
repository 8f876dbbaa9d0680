import test from "ava";
import { secretsWarning, visibleSecrets } from "#cli/visible-secrets.js";

const LINES: readonly (readonly [words: readonly string[], found: readonly string[]])[] = [
  [["agent", "--nats", "nats://user:s3cret@host:4222"], ["--nats"]],
  [["agent", "--nats=nats://host,tls://s3cret@other"], ["--nats"]],
  [["agent", "--set", "nats.url=nats://user:s3cret@host"], ["--set nats.url"]],
  [["agent", "--set", "kafka.sasl.password=s3cret"], ["--set kafka.sasl.password"]],
  [["agent", "--set=nats.token=s3cret"], ["--set nats.token"]],
  [["agent", "--set", "nats.password_file=/etc/secret", "--nats", "nats://host:4222"], []],
  [["agent", "--set", "nats.password=", "--config", "user@host.yaml"], []],
];

for (const [words, found] of LINES) {
  test(`secrets in "${words.join(" ")}": ${found.join() || "none"}`, (t) => {
    t.deepEqual(visibleSecrets(words), found);
    t.false(secretsWarning(words)?.includes("s3cret") ?? false);
  });
}
