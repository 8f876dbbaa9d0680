/**
 * A stream of transactions with unique ids, sent by several senders at once, that something disturbs: what has to be true of
 * it whatever happens, and how to tell from the kernel.
 */
import { randomInt, randomUUID } from "node:crypto";
import type { Change } from "#client/index.js";
import type { AgentProcess } from "#test/support/agent-process.js";
import { Child } from "#test/support/child.js";
import { eventually } from "#test/support/eventually.js";
import { ip, link } from "#test/support/sandbox.js";
import type { Result } from "./bus.js";
import { INTERFACE } from "./pair.js";

export interface Transaction {
  readonly id: string;
  readonly mode?: "REPLACE";
  readonly changes: readonly Change[];
}

/** Senders. Each waits for an answer before it sends its next transaction, and has an interface of its own. */
const SENDERS = 8;
/** Routes of a sender that stay: the transaction after so many deletes the oldest. */
const KEPT = 5;
const MTU = 2_000;
/** A route that only serves to be seen by `ip monitor`. */
const BEACON = "198.51.100.0/24";

/** The moments of a transaction at which something may happen to the broker or the agent. */
const MOMENTS = ["sent", "in the kernel", "answered"] as const;
type Moment = (typeof MOMENTS)[number];

/** Transactions `0 … count - 1`: each adds a route, deletes an old one and gives an interface another MTU. */
export class Stream {
  private readonly count: number;
  private readonly running = randomUUID();
  private readonly word: string;
  private readonly strikes = new Map<string, () => void>();

  /** `word`: at most 6 letters, for the names of interfaces; `net`: the first number of the routes' destinations. */
  constructor(
    word: string,
    private readonly net: number,
    count: number,
  ) {
    this.word = word;
    this.count = count;
  }

  idOf(index: number): string {
    return `${this.running}-${index}`;
  }

  transaction(index: number): Transaction {
    const name = this.link(index);
    const old = index - KEPT * SENDERS;
    const first = index < SENDERS;
    return {
      id: this.idOf(index),
      changes: [
        end(name, `${name}-p`, { mtu: MTU + index, ip_addresses: [`10.250.${index % SENDERS}.1/32`] }),
        ...(first ? [end(`${name}-p`, name)] : []),
        {
          key: this.routeKey(index),
          value: { outgoing_interface: name, dst_network: this.network(index), scope: "LINK" },
        },
        ...(old < 0 ? [] : [{ key: this.routeKey(old), delete: true } as const]),
      ],
    };
  }

  /**
   * Sends all transactions, and lets `strike` happen at `times` random moments, one after the other. Returns the answers by
   * the transactions' numbers, once the last strike is over and the last answer is there.
   */
  async run(
    commit: (transaction: Transaction) => Promise<Result>,
    times: number,
    strike: () => Promise<void>,
  ): Promise<readonly Result[]> {
    const strikes = this.plan(times, strike);
    const answers: Result[] = [];
    const sender = async (first: number): Promise<void> => {
      for (let index = first; index < this.count; index += SENDERS) {
        const answer = commit(this.transaction(index));
        this.reached("sent", index);
        answers[index] = await answer;
        this.reached("answered", index);
      }
    };
    await Promise.all(Array.from({ length: SENDERS }, (_, first) => sender(first)));
    await strikes();
    return answers;
  }

  /** Follows what the kernel says of the stream's routes. */
  async watchKernel(): Promise<RouteWatch> {
    const pattern = new RegExp(`^(Deleted )?${this.net}\\.(\\d+)\\.(\\d+)\\.0/24 dev ${this.word}`);
    const seen = { added: new Map<number, number>(), deleted: new Map<number, number>() };
    const monitor = await Child.start(["ip", "-oneline", "-rcvbuf", "16777216", "monitor", "route"], {
      onLine: (line) => {
        const [, deleted, high = "", low = ""] = pattern.exec(line) ?? [];
        if (high === "") return;
        const index = Number(high) * 250 + Number(low);
        const counts = deleted === undefined ? seen.added : seen.deleted;
        counts.set(index, (counts.get(index) ?? 0) + 1);
        if (deleted === undefined) this.reached("in the kernel", index);
      },
    });
    await eventually(async () => {
      await ip("route", "add", "unreachable", BEACON);
      await ip("route", "delete", "unreachable", BEACON);
      return monitor.log.includes(BEACON);
    });
    return { ...seen, stop: async () => void (await monitor.kill()) };
  }

  /** Waits until the kernel, and what the agent says is desired, are as the last transactions asked for. */
  async settled(agent: AgentProcess): Promise<void> {
    const expected = this.lastState();
    await eventually(
      async () => {
        const found = [...(await this.inKernel()), ...(await this.desired(agent))].join("\n");
        const all = [...expected.kernel, ...expected.desired].join("\n");
        if (found !== all) throw new Error(`expected\n${all}\nfound\n${found}`);
        return true;
      },
      { what: "the kernel to be as the last transactions asked for", timeout: 120_000 },
    );
  }

  /** Names of the interfaces, for somebody who deletes one. */
  get links(): readonly string[] {
    return Array.from({ length: SENDERS }, (_, sender) => this.link(sender));
  }

  /** Transactions that may be on their way at the same time. */
  get width(): number {
    return SENDERS;
  }

  private plan(times: number, strike: () => Promise<void>): () => Promise<void> {
    let last = Promise.resolve();
    let left = times;
    const slice = this.count / times;
    const done = new Promise<void>((resolve) => {
      if (times === 0) resolve();
      for (let time = 0; time < times; time += 1) {
        const index = Math.floor(slice * time) + randomInt(Math.max(1, Math.floor(slice)));
        const moment = MOMENTS[randomInt(MOMENTS.length)];
        this.strikes.set(`${moment} ${index}`, () => {
          last = last.then(strike);
          left -= 1;
          if (left === 0) resolve();
        });
      }
    });
    return async () => {
      await done;
      await last;
    };
  }

  private reached(moment: Moment, index: number): void {
    const name = `${moment} ${index}`;
    this.strikes.get(name)?.();
    this.strikes.delete(name);
  }

  private link(index: number): string {
    return `${this.word}${index % SENDERS}`;
  }

  private network(index: number): string {
    return `${this.net}.${Math.floor(index / 250)}.${index % 250}.0/24`;
  }

  private routeKey(index: number): string {
    return `config/linux/l3/v2/route/${this.network(index)}/${this.link(index)}`;
  }

  private lastState(): { readonly kernel: readonly string[]; readonly desired: readonly string[] } {
    const kept = Math.min(this.count, KEPT * SENDERS);
    const routes = Array.from({ length: kept }, (_, index) => this.count - kept + index);
    const last = Array.from({ length: SENDERS }, (_, index) => this.count - SENDERS + index);
    return {
      kernel: [
        ...last.map((index) => `${this.link(index)} ${MTU + index}`).toSorted(),
        ...routes.map((index) => `${this.network(index)} ${this.link(index)}`).toSorted(),
      ],
      desired: [
        ...this.links.flatMap((name) => [INTERFACE + name, `${INTERFACE}${name}-p`]),
        ...routes.map((index) => this.routeKey(index)),
      ].toSorted(),
    };
  }

  private async inKernel(): Promise<readonly string[]> {
    const links = await Promise.all(this.links.map((name) => link(name)));
    const routes = await ip<{ dst: string; dev: string }>("route", "show", "root", `${this.net}.0.0.0/8`);
    return [
      ...links.map((view) => `${view?.ifname} ${view?.mtu}`).toSorted(),
      ...routes.map(({ dst, dev }) => `${dst} ${dev}`).toSorted(),
    ];
  }

  private async desired(agent: AgentProcess): Promise<readonly string[]> {
    const { stdout } = await agent.tenuto(["get", "-o", "json"]);
    const keys = (JSON.parse(stdout) as { key: string }[]).map(({ key }) => key);
    return keys.filter((key) => key.split("/").at(-1)?.startsWith(this.word)).toSorted();
  }
}

/** One end of a veth pair. */
export function end(name: string, peer: string, more: object = {}): Change & { readonly value: object } {
  return { key: INTERFACE + name, value: { name, type: "VETH", enabled: true, veth: { peer_if_name: peer }, ...more } };
}

/** How often the kernel has told of each transaction's route. */
export interface RouteWatch {
  readonly added: ReadonlyMap<number, number>;
  readonly deleted: ReadonlyMap<number, number>;
  stop(): Promise<void>;
}
