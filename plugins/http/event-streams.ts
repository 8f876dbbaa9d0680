import type { ServerResponse } from "node:http";
import type { AgentEvent, EventEnvelope, StateSink } from "#core/northbound/index.js";
import { RefusedError } from "./errors.js";

export type EventKind = AgentEvent["kind"];

/** Readers at once: each event is written to every one of them. */
const MOST_STREAMS = 256;

/** Bytes that may wait for a slow reader before it is disconnected. */
const LONGEST_BACKLOG = 4 * 1024 * 1024;

/** So that a reader that vanished without a word is noticed, and no proxy thinks the stream dead. */
const KEEP_ALIVE_MS = 15_000;

interface Stream {
  readonly response: ServerResponse;
  readonly kinds: ReadonlySet<EventKind> | undefined;
}

/**
 * Everybody who reads the event stream, over the local socket or TCP. A reader too slow for the events is disconnected
 * (it may come back and gets the current interface states first), so that it costs the agent a bounded amount of
 * memory.
 */
export class EventStreams implements StateSink {
  readonly name = "http";
  private readonly streams = new Set<Stream>();
  private keepAlive: NodeJS.Timeout | undefined;

  /** Throws `RefusedError` when there are too many readers for one more. */
  admit(): void {
    if (this.streams.size >= MOST_STREAMS)
      throw new RefusedError(
        503,
        "BUSY",
        `the agent is busy: ${MOST_STREAMS} readers of events are the most; ask again`,
      );
  }

  /** Starts a stream with `first`, then every event whose kind is in `kinds` (all when left out). */
  open(response: ServerResponse, first: readonly EventEnvelope[], kinds?: ReadonlySet<EventKind>): void {
    response.writeHead(200, {
      "content-type": "text/event-stream; charset=utf-8",
      "cache-control": "no-store",
      "x-accel-buffering": "no",
    });
    const stream: Stream = { response, kinds };
    // Sent at once, so that a reader knows that it misses nothing from here on.
    response.write(": connected\n\n");
    for (const envelope of first) if (wants(stream, envelope)) response.write(serverSentEvent(envelope));
    this.streams.add(stream);
    this.keepAlive ??= setInterval(() => this.write(": keep-alive\n\n"), KEEP_ALIVE_MS).unref();
    response.once("close", () => this.streams.delete(stream));
  }

  publish(envelope: EventEnvelope): void {
    if (this.streams.size === 0) return;
    this.write(serverSentEvent(envelope), envelope);
  }

  close(): void {
    clearInterval(this.keepAlive);
    for (const { response } of this.streams) response.end();
    this.streams.clear();
  }

  private write(text: string, envelope?: EventEnvelope): void {
    for (const stream of this.streams) {
      if (envelope !== undefined && !wants(stream, envelope)) continue;
      if (stream.response.writableLength > LONGEST_BACKLOG) stream.response.destroy();
      else stream.response.write(text);
    }
  }
}

function wants(stream: Stream, envelope: EventEnvelope): boolean {
  return stream.kinds === undefined || stream.kinds.has(envelope.event.kind);
}

/** The CloudEvents 1.0 JSON of an event, as one server-sent event whose name is the event's kind. */
function serverSentEvent(envelope: EventEnvelope): string {
  const { event, ...attributes } = envelope;
  const cloudEvent = { specversion: "1.0", ...attributes, datacontenttype: "application/json", data: event.data };
  return `id: ${envelope.id}\nevent: ${event.kind}\ndata: ${JSON.stringify(cloudEvent)}\n\n`;
}
