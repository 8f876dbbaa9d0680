import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";
import { setTimeout as pause } from "node:timers/promises";

/** A way to a broker, over TCP, that can be cut and made slow. */
export class FaultyLink {
  private readonly server = createServer((socket) => this.join(socket));
  private readonly sockets = new Set<Socket>();
  private readonly listenPort: number;
  private delay = 0;
  private isCut = false;

  private constructor(port: number) {
    this.listenPort = port;
  }

  /** To a port on this machine. */
  static async to(port: number): Promise<FaultyLink> {
    const link = new FaultyLink(port);
    link.server.listen(0, "127.0.0.1");
    await once(link.server, "listening");
    return link;
  }

  get port(): number {
    const address = this.server.address();
    return typeof address === "object" && address !== null ? address.port : 0;
  }

  /** Ends all connections and lets nobody in. */
  cut(): void {
    this.isCut = true;
    for (const socket of this.sockets) socket.destroy();
  }

  /** Whatever is sent takes so long, ms, in each direction. */
  slow(delay: number): void {
    this.delay = delay;
  }

  mend(): void {
    this.isCut = false;
    this.delay = 0;
  }

  close(): void {
    this.cut();
    this.server.close();
  }

  private join(near: Socket): void {
    if (this.isCut) {
      near.destroy();
      return;
    }
    const far = connect(this.listenPort, "127.0.0.1");
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      this.sockets.add(from);
      let last = Promise.resolve();
      from.on("data", (data) => {
        last = last.then(async () => {
          if (this.delay > 0) await pause(this.delay);
          if (!to.destroyed) to.write(data);
        });
      });
      from.on("error", () => to.destroy());
      from.on("close", () => {
        this.sockets.delete(from);
        to.destroy();
      });
    }
  }
}
