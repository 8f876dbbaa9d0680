import type { Socket } from "node:net";
import type { ISocketFactory } from "kafkajs";
import { BusError } from "#core/errors.js";
import { ByteReader } from "../records/byte-reader.js";

/** Requests before a connection is let in: ApiVersions, SaslHandshake and SaslAuthenticate. */
const BEFORE_LET_IN = new Set([18, 17, 36]);
const API_VERSIONS = 18;
/** Length and number of a frame. */
const FRAME_HEADER = 8;
/** Our requests have numbers below this one; those of kafkajs are not negative. */
const FIRST_NUMBER = -2;

/**
 * The connections of one kafkajs client, for requests that kafkajs does not know. They share its connections, so that TLS and
 * credentials are one matter; kafkajs passes by answers with a number that it has not given.
 */
export class Wires {
  private readonly wires = new Set<Wire>();
  private readonly patience: number;
  private versions: Promise<ReadonlyMap<number, number>> | undefined;

  /** `patience`: how long an answer is waited for, ms. */
  constructor(patience: number) {
    this.patience = patience;
  }

  /** A factory that hears what the sockets of another one carry. */
  over(factory: ISocketFactory): ISocketFactory {
    return (options) => {
      const socket = factory(options);
      const wire = new Wire(socket, `${options.host}:${options.port}`);
      this.wires.add(wire);
      socket.once("close", () => {
        this.wires.delete(wire);
        wire.closed();
      });
      return socket;
    };
  }

  /**
   * Asks a broker, any if no address is given; returns what is behind the header of the answer. `undefined` when it does not know
   * this version of the request, or when there is no connection to it. Throws `BusError` when it does not answer.
   */
  async ask(api: number, version: number, body: Buffer, address?: string): Promise<ByteReader | undefined> {
    const wire = [...this.wires].findLast((one) => one.isLetIn && (address ?? one.address) === one.address);
    if (wire === undefined) return undefined;
    this.versions ??= this.versionsOf(wire);
    const newest = (await this.versions).get(api);
    if (newest === undefined || newest < version) return undefined;
    return await wire.ask(api, version, body, this.patience);
  }

  private async versionsOf(wire: Wire): Promise<ReadonlyMap<number, number>> {
    const answer = await wire.ask(API_VERSIONS, 0, Buffer.alloc(0), this.patience);
    const versions = new Map<number, number>();
    answer.int16();
    for (let left = answer.int32(); left > 0; left -= 1) {
      const api = answer.int16();
      answer.int16();
      versions.set(api, answer.int16());
    }
    return versions;
  }
}

interface Waiting {
  resolve(answer: ByteReader): void;
  reject(error: Error): void;
}

class Wire {
  readonly address: string;
  private readonly socket: Socket;
  private readonly waiting = new Map<number, Waiting>();
  private number = FIRST_NUMBER;
  private admitted = false;
  /** Of the frame that is coming in: its header, what is kept of it, and how much of it is still to come. */
  private header = Buffer.alloc(0);
  private kept: Buffer[] | undefined;
  private left = 0;

  constructor(socket: Socket, address: string) {
    this.address = address;
    this.socket = socket;
    socket.on("data", (bytes: Buffer) => this.receive(bytes));
    this.hearRequests(socket);
  }

  /** kafkajs has asked for something that only those are answered who were let in. */
  get isLetIn(): boolean {
    return this.admitted && !this.socket.destroyed;
  }

  async ask(api: number, version: number, body: Buffer, patience: number): Promise<ByteReader> {
    const number = this.number;
    this.number -= 1;
    const head = Buffer.alloc(14);
    head.writeInt32BE(10 + body.length, 0);
    head.writeInt16BE(api, 4);
    head.writeInt16BE(version, 6);
    head.writeInt32BE(number, 8);
    // No name of a client.
    head.writeInt16BE(-1, 12);
    const answer = new Promise<ByteReader>((resolve, reject) => this.waiting.set(number, { resolve, reject }));
    const enough = setTimeout(() => {
      this.waiting.get(number)?.reject(new BusError("NO_ANSWER", `${this.address} does not answer`));
    }, patience);
    this.socket.write(Buffer.concat([head, body]));
    try {
      return await answer;
    } finally {
      clearTimeout(enough);
      this.waiting.delete(number);
    }
  }

  closed(): void {
    for (const waiting of this.waiting.values()) waiting.reject(new BusError("HUNG_UP", `${this.address} hung up`));
  }

  /** A request is written in one piece: length, then its kind. */
  private hearRequests(socket: Socket): void {
    const write = socket.write.bind(socket) as (...all: unknown[]) => boolean;
    const heard = (...all: unknown[]): boolean => {
      const [request] = all;
      if (Buffer.isBuffer(request) && request.length > FRAME_HEADER && !BEFORE_LET_IN.has(request.readInt16BE(4))) {
        this.admitted = true;
      }
      return write(...all);
    };
    socket.write = heard;
  }

  /** Only frames that answer us are kept. */
  private receive(bytes: Buffer): void {
    for (let at = 0; at < bytes.length; ) {
      if (this.header.length < FRAME_HEADER) {
        const to = at + FRAME_HEADER - this.header.length;
        this.header = Buffer.concat([this.header, bytes.subarray(at, to)]);
        at = Math.min(to, bytes.length);
        if (this.header.length < FRAME_HEADER) return;
        this.left = this.header.readInt32BE(0) - 4;
        this.kept = this.waiting.has(this.header.readInt32BE(4)) ? [] : undefined;
      }
      const piece = bytes.subarray(at, at + this.left);
      this.kept?.push(piece);
      at += piece.length;
      this.left -= piece.length;
      if (this.left <= 0) this.complete();
    }
  }

  private complete(): void {
    const number = this.header.readInt32BE(4);
    this.header = Buffer.alloc(0);
    if (this.kept !== undefined) this.waiting.get(number)?.resolve(new ByteReader(Buffer.concat(this.kept)));
    this.kept = undefined;
  }
}
