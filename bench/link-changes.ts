import { once } from "node:events";
import { Worker } from "node:worker_threads";
import type { LinkRequest } from "#plugins/netlink/index.js";

export interface ChangerData {
  /** Takes the time (process.hrtime, in nanoseconds) right before each change. */
  readonly changedAt: BigInt64Array;
}

export type LinkChange = Pick<LinkRequest, "group" | "mtu"> & { readonly index: number };

/** A thread of its own that changes links, with nothing between the clock and the system call. */
export class LinkChanger {
  private constructor(
    private readonly worker: Worker,
    private readonly data: ChangerData,
  ) {}

  static async start(): Promise<LinkChanger> {
    const data: ChangerData = { changedAt: new BigInt64Array(new SharedArrayBuffer(8)) };
    const worker = new Worker(new URL("./link-changer.js", import.meta.url), { workerData: data });
    await once(worker, "message");
    return new LinkChanger(worker, data);
  }

  /** When the last change was made: process.hrtime, nanoseconds. */
  get changedAt(): bigint {
    return this.data.changedAt[0] ?? 0n;
  }

  /** Has a link changed, and does not wait for it. */
  change(change: LinkChange): void {
    this.worker.postMessage(change);
  }

  async end(): Promise<void> {
    await this.worker.terminate();
  }
}
