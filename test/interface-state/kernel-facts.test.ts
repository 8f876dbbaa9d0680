import { readFile } from "node:fs/promises";
import test from "ava";
import { wantInterface } from "#test/linux/support/network.js";
import { eventually } from "#test/support/eventually.js";
import { ip, run } from "#test/support/sandbox.js";
import { pair, Watched } from "./support/watched.js";

/** What a state says is what `ip` and sysfs say of the same interface. */

interface Counted {
  readonly ifindex: number;
  readonly operstate: string;
  readonly address: string;
  readonly mtu: number;
  readonly master?: string;
  readonly stats64: {
    readonly rx: {
      readonly bytes: number;
      readonly packets: number;
      readonly errors: number;
      readonly dropped: number;
    };
    readonly tx: {
      readonly bytes: number;
      readonly packets: number;
      readonly errors: number;
      readonly dropped: number;
    };
  };
}

let watched: Watched;
test.before(async () => {
  // That of this network namespace.
  await run(["mount", "-t", "sysfs", "sysfs", "/sys"]);
});
test.beforeEach(async () => {
  watched = await Watched.start({ statistics_interval: "50ms" });
});
test.afterEach.always(() => watched.close());

const kernel = async (name: string) => (await ip<Counted>("-details", "-statistics", "link", "show", "dev", name))[0]!;
const sysfs = async (name: string, file: string) => (await readFile(`/sys/class/net/${name}/${file}`, "utf8")).trim();

test.serial("index, MAC, MTU, master, speed and carrier changes", async (t) => {
  await watched.agent.commit(
    ...pair("port", "port-far", { phys_address: "02:00:00:00:81:01", mtu: 1400 }),
    wantInterface({ name: "switch", type: "BRIDGE", enabled: true, bridge: { ports: [{ interface: "port" }] } }),
  );
  await eventually(() => watched.isUp("port") && watched.latest("port")?.speed !== undefined);
  const told = watched.latest("port");
  const found = await kernel("port");
  t.like(told, {
    if_index: found.ifindex,
    phys_address: found.address,
    mtu: found.mtu,
    master: found.master ?? "none",
    speed: `${await sysfs("port", "speed")}000000`,
    carrier_changes: Number(await sysfs("port", "carrier_changes")),
  });
  t.is(found.master, "switch");
});

test.serial("no speed is told of an interface without carrier", async (t) => {
  await watched.agent.commit(...pair("slow", "slow-far"));
  await eventually(() => watched.latest("slow")?.speed === "10000000000");
  await run(["ip", "link", "set", "dev", "slow-far", "down"]);
  await eventually(() => watched.latest("slow")?.oper_status === "DOWN");
  t.is(watched.latest("slow")?.speed, undefined);
});

test.serial("the name of a master follows its renames, and goes when the port leaves", async (t) => {
  await run(["ip", "link", "add", "before", "type", "bridge"]);
  await watched.agent.commit(...pair("member", "member-far"));
  await run(["ip", "link", "set", "dev", "member", "master", "before"]);
  await eventually(() => watched.latest("member")?.master === "before");
  await run(["ip", "link", "set", "dev", "before", "name", "after"]);
  await eventually(() => watched.latest("member")?.master === "after");
  await run(["ip", "link", "delete", "after"]);
  await eventually(() => watched.latest("member")?.master === undefined);
  t.is(watched.latest("member")?.oper_status, "UP");
});

test.serial("carrier changes and the time of the last change move with the carrier", async (t) => {
  await watched.agent.commit(...pair("loose", "loose-far"));
  await eventually(() => watched.isUp("loose"));
  const before = watched.latest("loose");
  await run(["ip", "link", "set", "dev", "loose-far", "down"]);
  await run(["ip", "link", "set", "dev", "loose-far", "up"]);
  const after = await eventually(() => {
    const state = watched.latest("loose");
    return state?.oper_status === "UP" && state.carrier_changes !== before?.carrier_changes ? state : undefined;
  });
  t.is(after.carrier_changes, Number(await sysfs("loose", "carrier_changes")));
  t.true(Number(after.last_change) >= Number(before?.last_change));
  t.true(Math.abs(Number(after.last_change) - Date.now() / 1000) < 60);
});

test.serial("counters are those of the kernel", async (t) => {
  await watched.agent.commit(...pair("busy", "busy-far", { ip_addresses: ["10.82.0.1/24"] }));
  await eventually(() => watched.isUp("busy"));
  // Nobody answers the ARP requests: packets leave at one end, and arrive at the other.
  await run(["sh", "-c", "for i in 2 3 4; do ip neighbour add 10.82.0.$i lladdr 02:00:00:00:82:0$i dev busy; done"]);
  await run(["bash", "-c", "for i in 2 3 4; do echo x > /dev/udp/10.82.0.$i/9; done"]);
  for (const name of ["busy", "busy-far"]) {
    const same = await eventually(async () => {
      const { rx, tx } = (await kernel(name)).stats64;
      const told = watched.about(name).findLast(({ type }) => type === "STATISTICS")?.state?.statistics ?? {};
      const expected = {
        in_packets: rx.packets,
        in_bytes: rx.bytes,
        out_packets: tx.packets,
        out_bytes: tx.bytes,
        drop_packets: rx.dropped + tx.dropped,
        in_error_packets: rx.errors,
        out_error_packets: tx.errors,
      };
      const numbers = Object.fromEntries(Object.entries(expected).filter(([, count]) => count > 0));
      const texts = Object.fromEntries(Object.entries(numbers).map(([key, count]) => [key, String(count)]));
      return JSON.stringify(told) === JSON.stringify(texts) && rx.packets + tx.packets >= 3;
    });
    t.true(same);
  }
});
