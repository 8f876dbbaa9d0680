/** Requests to a broker byte by byte, for records that kafkajs would not write. */
import { connect, type Socket } from "node:net";
import { ByteReader } from "#plugins/kafka/records/byte-reader.js";

/** Kafka's number of the request. */
const PRODUCE = 0;

function string(text: string): Buffer {
  const bytes = Buffer.from(text);
  const length = Buffer.alloc(2);
  length.writeInt16BE(bytes.length);
  return Buffer.concat([length, bytes]);
}

function int32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(value);
  return bytes;
}

function int16(value: number): Buffer {
  const bytes = Buffer.alloc(2);
  bytes.writeInt16BE(value);
  return bytes;
}

const NO_TRANSACTION = int16(-1);

export class RawBroker {
  private readonly socket: Socket;
  private received = Buffer.alloc(0);
  private waiting: ((answer: ByteReader) => void) | undefined;

  private constructor(socket: Socket) {
    this.socket = socket;
    socket.on("data", (bytes) => {
      this.received = Buffer.concat([this.received, bytes]);
      if (this.received.length < 4 || this.received.length < 4 + this.received.readInt32BE(0)) return;
      const answer = new ByteReader(this.received.subarray(8));
      this.received = Buffer.alloc(0);
      this.waiting?.(answer);
    });
  }

  static async connect(address: string): Promise<RawBroker> {
    const [host = "", port] = address.split(":");
    const socket = connect(Number(port), host);
    await new Promise((resolve, reject) => socket.once("connect", resolve).once("error", reject));
    return new RawBroker(socket);
  }

  close(): void {
    this.socket.destroy();
  }

  /** Writes batches as they are to the first partition. Returns Kafka's error code, 0 when they were taken. */
  async produce(topic: string, log: Buffer): Promise<number> {
    const partition = [int32(1), int32(0), int32(log.length), log];
    const topics = [int32(1), string(topic), ...partition];
    const answer = await this.ask(PRODUCE, 7, [NO_TRANSACTION, int16(-1), int32(30_000), ...topics]);
    answer.bytes(4);
    answer.bytes(answer.int16());
    answer.bytes(8);
    return answer.int16();
  }

  private async ask(api: number, version: number, body: readonly Buffer[]): Promise<ByteReader> {
    const request = Buffer.concat([int16(api), int16(version), int32(1), string("raw"), ...body]);
    const answer = new Promise<ByteReader>((resolve) => (this.waiting = resolve));
    this.socket.write(Buffer.concat([int32(request.length), request]));
    return await answer;
  }
}
