import type { Server, Socket } from "node:net";

/** What names a connection: over TLS a request comes by another socket than the connection did. */
type Name = Socket | string;

function nameOf(socket: Socket): Name {
  const { remoteAddress, remotePort } = socket;
  return remotePort === undefined ? socket : `${remoteAddress} ${remotePort}`;
}

/**
 * The connections of a server, up to a bound: each takes a file descriptor, which sockets of the kernel need too. When they are too
 * many, the oldest that has no whole request goes, so that those who never send one, or never all of it, keep nobody out.
 */
export class Connections {
  private readonly most: number;
  private readonly waiting = new Map<Name, Socket>();
  private readonly inWork = new Map<Name, number>();

  constructor(server: Server, most: number) {
    this.most = most;
    server.on("connection", (socket: Socket) => this.accept(socket));
  }

  /** There is a whole request to be answered. Returns what is to be called when it has been. */
  begin(socket: Socket): () => void {
    const name = nameOf(socket);
    this.inWork.set(name, (this.inWork.get(name) ?? 0) + 1);
    const connection = this.waiting.get(name);
    this.waiting.delete(name);
    return () => {
      const left = (this.inWork.get(name) ?? 1) - 1;
      if (left > 0) {
        this.inWork.set(name, left);
        return;
      }
      this.inWork.delete(name);
      if (connection?.destroyed === false) this.waiting.set(name, connection);
    };
  }

  private accept(socket: Socket): void {
    if (this.waiting.size + this.inWork.size >= this.most) {
      const [oldest] = this.waiting.values();
      if (oldest === undefined) {
        socket.destroy();
        return;
      }
      this.waiting.delete(nameOf(oldest));
      oldest.destroy();
    }
    const name = nameOf(socket);
    this.waiting.set(name, socket);
    socket.once("close", () => {
      if (this.waiting.get(name) === socket) this.waiting.delete(name);
    });
  }
}
