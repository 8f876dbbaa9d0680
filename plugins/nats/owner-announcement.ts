import { z } from "zod";

const announcement = z.object({
  intent: z.enum(["asks", "waits", "owns", "leaves"]),
  /** Of one run of an agent. */
  instance: z.string().max(100),
  host: z.string().max(300),
  pid: z.number(),
  /** When it started, RFC 3339. */
  since: z.string().max(40),
  /** Grows with each succession. */
  term: z.number().int().min(0),
});

/** What an agent says about its label on `tenuto.<label>.owner`, as JSON. */
export type Announcement = z.infer<typeof announcement>;
export type Intent = Announcement["intent"];

export function decodeAnnouncement(data: Uint8Array): Announcement | undefined {
  try {
    const { success, data: decoded } = announcement.safeParse(JSON.parse(Buffer.from(data).toString("utf8")));
    return success ? decoded : undefined;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

/** Of two that both own, who keeps the label: the later successor, then the one that has run longer. */
export function claimWins(theirs: Announcement, ours: Announcement): boolean {
  if (theirs.term !== ours.term) return theirs.term > ours.term;
  if (theirs.since !== ours.since) return theirs.since < ours.since;
  return theirs.instance < ours.instance;
}

export function describeOwner({ host, pid, since }: Announcement): string {
  return `the agent on host ${host} (process ${pid}, since ${since})`;
}

/** What the health says of another agent with the same label. */
export function sharedLabel(label: string, other: Announcement | undefined, owns: boolean): string {
  const who = other === undefined ? "another agent, which does not answer," : describeOwner(other);
  return owns
    ? `${who} has the same label ${label}: it waits and serves nothing; give it another label`
    : `${who} has the same label ${label} and serves it: this agent serves no requests on NATS, tells no states there, ` +
        "and leaves its network as it is; give one of them another label";
}

export interface ReceivedAnnouncement {
  readonly announcement: Announcement;
  /** `performance.now()`. */
  readonly at: number;
}

const MAX_OTHERS = 100;

/** Agents with the same label that wait. */
export class Others {
  private readonly heard = new Map<string, ReceivedAnnouncement>();

  add(heard: ReceivedAnnouncement): void {
    if (this.heard.size < MAX_OTHERS) this.heard.set(heard.announcement.instance, heard);
  }

  remove({ instance }: Announcement): void {
    this.heard.delete(instance);
  }

  /** Those that were not heard of since that time. */
  forget(since: number): void {
    for (const [instance, { at }] of this.heard) if (at < since) this.heard.delete(instance);
  }

  get any(): ReceivedAnnouncement | undefined {
    const [first] = this.heard.values();
    return first;
  }

  /** Whether of all that wait this one has run longest. */
  isFirst(ours: Announcement): boolean {
    const waiting = [...this.heard.values()];
    return !waiting.some(({ announcement }) => claimWins({ ...announcement, term: 0 }, { ...ours, term: 0 }));
  }
}
