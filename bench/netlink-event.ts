import type { Benchmark, Outcome } from "./benchmark.js";
import { LinkChanger } from "./link-changes.js";
import { addPair, startNetlink } from "./netlink-client.js";

const warmUp = 200;

export const netlinkEvent: Benchmark = {
  name: "netlink-event",
  method:
    "A thread of its own changes the group of a link, one change at a time with the event loop idle; measured is the " +
    "time from right before that system call, which includes the kernel's work, to the call of a link listener on " +
    "the main thread. 200 changes before are not counted.",
  repeats: 5000,

  async run({ repeats }): Promise<Outcome> {
    const netlink = await startNetlink();
    const namespace = netlink.default;
    const { index: linkIndex } = await addPair(namespace, "events");
    const changer = await LinkChanger.start();
    const latencies: number[] = [];
    await new Promise<void>((resolve, reject) => {
      let group = 0;
      const change = () => changer.change({ index: linkIndex, group: ++group });
      const listening = namespace.subscribe(["link"], (event) => {
        const now = process.hrtime.bigint();
        if (event.type !== "link" || event.link.index !== linkIndex || event.link.group !== group) return;
        latencies.push(Number(now - changer.changedAt) / 1000);
        if (latencies.length === warmUp + repeats) resolve();
        else setImmediate(change);
      });
      listening.then(change, reject);
    });
    await changer.end();
    await namespace.linkDel(linkIndex);
    await netlink.close();
    return {
      measurements: [{ name: "kernel to listener", unit: "us", values: latencies.slice(warmUp, warmUp + repeats) }],
      comparisons: [],
    };
  },
};
