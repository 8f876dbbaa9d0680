import type { Worker } from "node:worker_threads";
import { BugError, SouthboundError } from "#core/errors.js";
import { takeThread } from "../ahead.js";
import { closeWake, openWake, wake } from "../sys/wake.js";
import type { Call, FromWorker, ToWorker, WorkerOptions } from "./protocol.js";

/** A call without its number, which the channel gives. */
export type CallRequest = Call extends infer C ? (C extends Call ? Omit<C, "call"> : never) : never;

export interface CallResult {
  readonly errno: number;
  readonly text: string;
}

export interface ChannelListener {
  /** Everything but the answers to calls. */
  message(message: Exclude<FromWorker, { readonly kind: "called" }>): void;
  /** The worker is gone, and nothing will be answered any more. `crashed`: without being asked to. */
  ended(error: Error, crashed: boolean): void;
}

/** One listener for all of them: a process can run many agents. */
const running = new Set<WorkerChannel>();

function stopAll(): void {
  for (const channel of running) channel.stop();
}

/**
 * The main thread's end of the worker. Messages arrive there in order. The worker keeps the process alive only while an
 * answer is due; when the process exits the worker is woken up to end, since a thread blocked in `poll` would hold the
 * exit up for ever.
 */
export class WorkerChannel {
  private readonly worker: Worker;
  private readonly wakeFd: number;
  private readonly calls = new Map<
    number,
    { readonly resolve: (result: CallResult) => void; readonly reject: (error: Error) => void }
  >();
  private nextCall = 1;
  private due = 0;
  private ended: Error | undefined;
  private stopping = false;
  private readonly exited: Promise<void>;

  constructor(
    options: Omit<WorkerOptions, "wakeFd">,
    private readonly listener: ChannelListener,
  ) {
    this.wakeFd = openWake();
    this.worker = takeThread({ ...options, wakeFd: this.wakeFd });
    this.worker.on("message", (message: FromWorker) => this.receive(message));
    this.worker.on("error", (error) => this.end(asError(error)));
    this.exited = new Promise((resolve) => {
      this.worker.once("exit", (code) => {
        running.delete(this);
        if (running.size === 0) process.removeListener("exit", stopAll);
        closeWake(this.wakeFd);
        this.end(new Error(`the netlink worker ended with code ${code}`));
        resolve();
      });
    });
    if (running.size === 0) process.on("exit", stopAll);
    running.add(this);
  }

  /** Sends without waiting for an answer, and wakes the worker up. */
  post(message: ToWorker, transfer: readonly ArrayBuffer[] = []): void {
    if (this.ended) return;
    this.worker.postMessage(message, transfer);
    wake(this.wakeFd);
  }

  call(request: CallRequest): Promise<CallResult> {
    if (this.ended) return Promise.reject(this.ended);
    const call = this.nextCall++;
    this.expect(1);
    const numbered = { ...request, call } as Call;
    this.post(numbered);
    return new Promise((resolve, reject) => this.calls.set(call, { resolve, reject }));
  }

  /** Says that `answers` more (or fewer) are due. */
  expect(answers: number): void {
    const before = this.due;
    this.due += answers;
    if (this.ended) return;
    if (before === 0 && this.due > 0) this.worker.ref();
    else if (before > 0 && this.due === 0) this.worker.unref();
  }

  /** Ends the worker after everything sent so far. */
  async close(): Promise<void> {
    this.expect(1);
    this.worker.ref();
    this.stop();
    await this.exited;
  }

  /** Tells the worker to end, without waiting for it. */
  stop(): void {
    if (this.stopping) return;
    this.stopping = true;
    this.post({ kind: "stop" });
  }

  private receive(message: FromWorker): void {
    // It died after this, and everybody who waited has been told so.
    if (this.ended) return;
    if (message.kind !== "called") {
      this.listener.message(message);
      return;
    }
    const call = this.calls.get(message.call);
    if (!call)
      throw new BugError("NETLINK_PROTOCOL", `the netlink worker answered call ${message.call}: nobody made it`);
    this.calls.delete(message.call);
    this.expect(-1);
    call.resolve(message);
  }

  private end(cause: Error): void {
    if (this.ended) return;
    this.ended = this.stopping
      ? new SouthboundError("EBADF", "the netlink client is closed")
      : new BugError("NETLINK_CRASHED", `the netlink worker crashed: ${cause.message}`, { cause });
    for (const call of this.calls.values()) call.reject(this.ended);
    this.calls.clear();
    this.listener.ended(this.ended, !this.stopping);
  }
}

function asError(thrown: unknown): Error {
  return thrown instanceof Error ? thrown : new Error(String(thrown));
}
