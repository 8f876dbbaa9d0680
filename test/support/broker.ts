import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Child } from "./child.js";

/** A broker of the caller's own, in the caller's network namespace. */
export interface Broker {
  /** What a client takes to reach it: `nats://127.0.0.1:<port>`, or Kafka's `127.0.0.1:<port>`. The same after a restart. */
  readonly url: string;
  /** Where its data is, for a test that sets it back. */
  readonly directory: string;
  readonly running: boolean;
  /** What the broker has logged since its last start. */
  readonly log: string;
  /** Ends it in an orderly way and deletes its data. Harmless when called twice. */
  stop(): Promise<void>;
  /** Ends it at once, as a crash would; port and data stay for `restart`. */
  kill(): Promise<void>;
  /** Ends it if it runs and starts it again on the same port and data. */
  restart(): Promise<void>;
  /** Freezes and thaws it: connections stay open and nobody answers. */
  pause(): void;
  resume(): void;
}

/** How to run a kind of broker in its data directory. */
export interface BrokerProgram {
  readonly url: string;
  /** Once, before the first start: configuration files, storage. */
  prepare(directory: string): Promise<void>;
  /** Starts the process; it need not be ready. */
  start(directory: string): Promise<Child>;
  /** What it logs when it serves clients, and how long that may take in milliseconds. */
  readonly ready: RegExp;
  readonly startTimeout: number;
}

/** Runs a broker in a temporary directory and returns when it serves clients. */
export async function runBroker(program: BrokerProgram): Promise<Broker> {
  const directory = await mkdtemp(join(tmpdir(), "tenuto-broker-"));
  const discard = (): Promise<void> => rm(directory, { recursive: true, force: true });

  const launch = async (): Promise<Child> => {
    const child = await program.start(directory);
    try {
      await child.logged(program.ready, program.startTimeout);
      return child;
    } catch (error) {
      await child.kill();
      throw error;
    }
  };

  let child: Child;
  try {
    await program.prepare(directory);
    child = await launch();
  } catch (error) {
    await discard();
    throw error;
  }

  return {
    url: program.url,
    directory,
    get running() {
      return child.running;
    },
    get log() {
      return child.log;
    },
    async stop() {
      await child.stop();
      await discard();
    },
    async kill() {
      await child.kill();
    },
    async restart() {
      await child.stop();
      child = await launch();
    },
    pause: () => child.signal("SIGSTOP"),
    resume: () => child.signal("SIGCONT"),
  };
}
