import { BugError, SouthboundError } from "#core/errors.js";
import { NetnsDirectory } from "./namespace/netns-directory.js";
import { OpenNamespaces } from "./namespace/open-namespaces.js";
import { unsupportedPlatform } from "./sys/libc.js";
import type { NamedEvent, NamespaceHandle, NamespaceRef, Netlink } from "./types.js";
import { WorkerChannel } from "./worker/channel.js";

export interface NetlinkOptions {
  /** Of a namespace's request socket, in bytes; bounds how many requests one `send` can carry. */
  readonly receiveBufferBytes: number;
  /** Of a namespace's event socket, in bytes; how many events may pile up before some are lost. */
  readonly eventBufferBytes: number;
  /** Most messages of one `send`. */
  readonly batchMessages: number;
  /** Most bytes of one `send`. */
  readonly batchBytes: number;
  /** Where named namespaces are. */
  readonly netnsDirectory: string;
  /** The room does not work any more. */
  readonly onCrash: (error: Error) => void;
  /** Named namespaces that come and go are not reported for now, or (without an error) are again. */
  readonly onWatch: (error: Error | undefined) => void;
}

/**
 * The netlink client: rtnetlink for every network namespace of the host.
 *
 * **API.** `open` gives a handle on a namespace, with requests under the names that vishvananda/netlink's users know,
 * and kernel events. Links, addresses, routes, neighbours and rules are plain objects; attributes this client has no
 * name for are kept in `unknown`.
 *
 * **Threading.** One worker thread owns every socket and makes every system call that can block or that enters another
 * namespace (`setns`, `socket` and the way back happen without anything in between). It waits in `poll`; an eventfd
 * wakes it. The main thread only encodes and decodes. The worker keeps the process alive while an answer is due, and
 * at no other time.
 *
 * **Batching.** Requests made in the same turn of the event loop are written into one buffer, which moves to the
 * worker, and leave in as few `send`s as these limits allow: `batchMessages`, `batchBytes`, and the client that their
 * answers may need in the receive buffer (2 KiB each, 16 KiB for a GET). What piles up while the worker is busy leaves
 * together as well. Only the last message of a `send` asks for an ack, since rtnetlink works in order and always
 * reports failures. Deletions of links that are next to each other leave as one deletion by group. A dump is a `send`
 * of its own.
 *
 * **Failure.** Each request has its own result: `SouthboundError` with the errno's name, the kernel's text, and the
 * attribute it objects to. A dump that the kernel calls interrupted is repeated. Events that were lost (ENOBUFS) are
 * reported as `lost`, and the subscription goes on. If answers were lost, the requests concerned fail with ENOBUFS:
 * their outcome is unknown. If the worker crashes, everything in flight and everything after is rejected, and the
 * plugin's health is `failed`.
 *
 * **Performance.** The kernel is the limit: 10,000 routes take what it needs for them (some 45 ms), a third to a half
 * of `ip -batch`; an event reaches its listener in some 30 µs. `bench/` measures both (`netlink-routes`,
 * `netlink-event`).
 */
export class NetlinkClient implements Netlink {
  private running: Running | undefined;

  constructor(private readonly options: NetlinkOptions) {}

  /** Starts the worker and opens the namespace that the process is in. Fails with `SouthboundError`. */
  async start(): Promise<void> {
    const unsupported = unsupportedPlatform();
    if (unsupported) throw new SouthboundError("UNSUPPORTED_PLATFORM", unsupported);
    const { netnsDirectory, onCrash, onWatch, ...limits } = this.options;
    const channel = new WorkerChannel(limits, {
      message: (message) => {
        if (message.kind === "mounts") named.mountsChanged();
        else registry.receive(message);
      },
      ended: (error, crashed) => {
        named.close();
        registry.fail(error);
        if (crashed) onCrash(error);
      },
    });
    const registry = new OpenNamespaces(channel, netnsDirectory);
    const named = new NetnsDirectory(channel, netnsDirectory, onWatch);
    try {
      this.running = { channel, registry, named, own: await registry.open({ kind: "default" }) };
    } catch (error) {
      await channel.close();
      throw error;
    }
  }

  get default(): NamespaceHandle {
    return this.use().own;
  }

  async open(ref: NamespaceRef): Promise<NamespaceHandle> {
    return this.use().registry.open(ref);
  }

  async createNamed(name: string, { alias }: { readonly alias?: string } = {}): Promise<void> {
    await this.use().named.create(name, alias);
  }

  async deleteNamed(name: string): Promise<void> {
    await this.use().named.delete(name);
  }

  async listNamed(): Promise<readonly string[]> {
    return this.use().named.list();
  }

  watchNamed(listener: (event: NamedEvent) => void): () => void {
    return this.use().named.watch(listener);
  }

  /**
   * Ends the worker when it has done what was asked for so far, and closes every socket. Handles are of no use
   * afterwards.
   */
  async close(): Promise<void> {
    const { running } = this;
    if (!running) return;
    this.running = undefined;
    running.named.close();
    running.registry.flush();
    await running.channel.close();
  }

  private use(): Running {
    if (!this.running)
      throw new BugError("NETLINK_NOT_RUNNING", "the netlink client is used before its start or after its close");
    return this.running;
  }
}

/** What exists between `start` and `close`. */
interface Running {
  readonly channel: WorkerChannel;
  readonly registry: OpenNamespaces;
  readonly named: NetnsDirectory;
  readonly own: NamespaceHandle;
}
