import type { Service, ServiceMsg } from "nats";
import type { AgentInfo } from "#core/agent/types.js";
import { BusError, errorMessage } from "#core/errors.js";
import type { Logger } from "#core/logging/types.js";
import type { ModelRegistry } from "#core/model/types.js";
import { pause } from "#core/northbound/backoff.js";
import type { TransactionLimits } from "#core/northbound/incoming.js";
import type { EventPublisher, Northbound, RequestGroup, TransactionEndpoint } from "#core/northbound/index.js";
import { type DroppedTransaction, TransactionParts } from "#core/northbound/parts.js";
import { SerialQueue } from "#core/northbound/serial-queue.js";
import type { All } from "#core/plugin/index.js";
import {
  CONFIG_REQUESTS,
  type ConfigRequest,
  groupSubject,
  PART_HEADER,
  requestSubject,
  SERVICE,
} from "#proto/nats.js";
import type { NatsConfig } from "./config.js";
import { flushSession, type NatsConditions, type NatsSession } from "./connection.js";
import type { LabelOwnership } from "./label-ownership.js";
import { contentTypeOf, errorReply, isError, type Outgoing } from "./messages.js";
import type { ReplySubjects } from "./reply-subjects.js";
import { type Incoming, RequestHandler } from "./request-handler.js";
import { Work } from "./work.js";

const LISTS = ["get", "dump", "status", "history"] as const satisfies readonly ConfigRequest[];

/** ms; what is left then is the connection's business. */
const LONGEST_FLUSH = 10_000;

/** Answers to what is not looked at. Made once: whoever floods the agent gets very many. */
const UNSURE = errorReply(
  new BusError(
    "BUSY",
    "the agent did not run for a while: whether another one has taken over is being looked at; ask again",
  ),
);
const BUSY = errorReply(new BusError("BUSY", "the agent is busy: too many requests wait; ask again"));

interface EndpointContext {
  readonly config: NatsConfig;
  readonly agent: AgentInfo;
  readonly registry: ModelRegistry;
  /** Requests of other plugins. */
  readonly groups: All<RequestGroup>;
  readonly publisher: EventPublisher;
  readonly bus: LabelOwnership;
  readonly replySubjects: ReplySubjects;
  readonly conditions: NatsConditions;
  readonly log: Logger;
  readonly limits: TransactionLimits;
}

/** Makes the answer to a request; `limit`: bytes of a message. Never rejects. */
type Respond = (incoming: Incoming, limit: number) => Promise<readonly Outgoing[]>;

/**
 * The requests of the contract as a NATS service. They are worked on concurrently, up to a bound; what comes beyond it is
 * answered `BUSY` at once, because a request on NATS cannot be left waiting at the broker.
 *
 * An answer is sent on the connection that stands when it is known. If there is none, it is lost: the requester asks again
 * under the same transaction id and gets the stored answer.
 */
export class NatsEndpoint implements TransactionEndpoint {
  readonly name = "nats";
  private readonly context: EndpointContext;
  private readonly parts: TransactionParts;
  private readonly inWork = new Set<Promise<void>>();
  /** By the subject of the endpoint. */
  private readonly work = new Map<string, Work>();
  /** Requests that are answered with lists wait for one another, each kind by itself: an answer may have a hundred megabytes. */
  private readonly lists = new Map<ConfigRequest, SerialQueue>(LISTS.map((kind) => [kind, new SerialQueue()]));
  private bytesInWork = 0;
  private answers: RequestHandler | undefined;
  private service: Service | undefined;

  constructor(context: EndpointContext) {
    this.context = context;
    const { bus, config } = context;
    const limits = { ...context.limits, timeLimit: config.part_timeout };
    this.parts = new TransactionParts(limits, (dropped) => this.deadLetter(dropped));
    bus.onSession((session) => void this.offer(session));
  }

  serve(northbound: Northbound): void {
    const { registry, limits } = this.context;
    this.answers = new RequestHandler(registry, northbound, this.parts, limits);
    if (this.context.bus.session !== undefined) void this.offer(this.context.bus.session);
  }

  /** Takes no more requests, and waits up to `drain_timeout` for the answers under way. */
  async close(): Promise<void> {
    this.parts.close();
    const enough = new AbortController();
    const answered = async (): Promise<void> => {
      await this.service?.stop();
      await Promise.all(this.inWork);
    };
    await Promise.race([answered(), pause(this.context.config.drain_timeout, enough.signal)]);
    enough.abort();
  }

  private async offer(session: NatsSession): Promise<void> {
    const answers = this.answers;
    if (answers === undefined) return;
    const { agent, conditions, log, replySubjects } = this.context;
    conditions.impaired("requests", "requests are not served yet");
    try {
      const connection = replySubjects.guard(session.connection, (subject) => this.workOf(subject).refuse());
      const service = await connection.services.add({
        name: SERVICE,
        version: agent.version,
        description: "Holds a host's network in the state that the bus asked for",
        metadata: { label: agent.label, version: agent.version, flavor: agent.flavor },
        statsHandler: async ({ subject }) => this.workOf(subject).statistics,
      });
      this.service = service;
      session.signal.addEventListener("abort", () => void service.stop(), { once: true });
      for (const kind of CONFIG_REQUESTS) {
        service.addEndpoint(kind, {
          subject: requestSubject(agent.label, kind),
          handler: (_error, message) =>
            this.take(message, (incoming, limit) => answers.answer(kind, incoming, limit), this.lists.get(kind)),
        });
      }
      this.offerGroups(service, answers);
      await flushSession(session);
      conditions.fine("requests");
      const stopped = await service.stopped;
      if (stopped !== null && !session.signal.aborted) throw stopped;
    } catch (error) {
      if (session.signal.aborted) return;
      const reason = `requests are not served: ${errorMessage(error)}`;
      if (conditions.impaired("requests", reason)) log.error({ err: error }, reason);
    }
  }

  private offerGroups(service: Service, answers: RequestHandler): void {
    const { agent, groups } = this.context;
    for (const group of groups.get()) {
      for (const [name, request] of Object.entries(group.requests)) {
        service.addEndpoint(`${group.name}-${name}`, {
          subject: groupSubject(agent.label, group.name, name),
          handler: (_error, message) =>
            this.take(message, (incoming, limit) => answers.answerGroup(request, incoming, limit)),
        });
      }
    }
  }

  private workOf(subject: string): Work {
    const work = this.work.get(subject) ?? new Work();
    this.work.set(subject, work);
    return work;
  }

  private take(message: ServiceMsg, respond: Respond, queue?: SerialQueue): void {
    const done = this.workOf(message.subject).begin();
    const { bus, config } = this.context;
    const { max_pending_requests, max_pending_bytes } = config;
    const bytes = message.data.length;
    if (!bus.isSure) {
      done(true);
      this.send(message.reply, UNSURE);
      return;
    }
    if (this.inWork.size >= max_pending_requests || this.bytesInWork + bytes > max_pending_bytes) {
      done(true);
      this.send(message.reply, BUSY);
      return;
    }
    this.bytesInWork += bytes;
    const answer = (): Promise<void> => this.answer(message, respond, done);
    const work = (queue === undefined ? answer() : queue.run(answer)).finally(() => {
      this.bytesInWork -= bytes;
      this.inWork.delete(work);
    });
    this.inWork.add(work);
  }

  private async answer(message: ServiceMsg, respond: Respond, done: (failed: boolean) => void): Promise<void> {
    const incoming = {
      data: message.data,
      contentType: contentTypeOf(message),
      part: message.headers?.get(PART_HEADER) ?? "",
    };
    const replies = await respond(incoming, this.context.bus.maxMessage);
    done(replies.some(isError));
    replies.forEach((reply, index) => {
      if (replies.length > 1) reply.headers.set(PART_HEADER, `${index + 1}/${replies.length}`);
      this.send(message.reply, reply);
    });
    if (replies.length > 1) await this.flushed();
  }

  /** The broker has taken what was sent, or takes too long for that. */
  private async flushed(): Promise<void> {
    const enough = new AbortController();
    const flush = this.context.bus.connected?.connection.flush().catch(() => undefined);
    await Promise.race([flush, pause(LONGEST_FLUSH, enough.signal)]);
    enough.abort();
  }

  private send(subject: string | undefined, { data, headers }: Outgoing): void {
    // An answer under way is sent although the label has gone to another agent meanwhile.
    const session = this.context.bus.connected;
    if (subject === undefined || subject === "") return;
    try {
      if (session === undefined) throw new BusError("NOT_CONNECTED", "there is no connection to NATS");
      session.connection.publish(subject, data, { headers });
    } catch (error) {
      this.context.log.warn({ err: error }, "an answer could not be sent");
    }
  }

  private deadLetter({ id, reason }: DroppedTransaction): void {
    const error = `transaction ${id} was dropped: ${reason}`;
    this.context.log.warn(error);
    this.context.publisher.publish({
      kind: "deadletter",
      origin: "nats",
      data: { key: id, origin: requestSubject(this.context.agent.label, "commit"), error, payload: "" },
    });
  }
}
