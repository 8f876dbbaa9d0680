import test, { type ExecutionContext } from "ava";
import { Health } from "#core/health/index.js";
import { RTM_DELLINK, RTM_NEWADDR, RTM_NEWLINK, RTM_NEWROUTE } from "#plugins/netlink/codec/constants.js";
import { ENOBUFS } from "#plugins/netlink/sys/errno.js";
import { eventually } from "#test/support/eventually.js";
import { type NetlinkFault, NetlinkFaults } from "#test/support/netlink-faults.js";
import { addressesOf, ip, link } from "#test/support/sandbox.js";
import { type Desired, NetworkAgent, wantInterface, wantRoute } from "./support/network.js";

const EBUSY = 16;
const ENOMEM = 12;

/** A pair of links, an address and a route, under names of their own. */
function network(name: string, subnet: number): readonly Desired[] {
  const peer = `${name}-p`;
  return [
    wantInterface({
      name,
      type: "VETH",
      enabled: true,
      ip_addresses: [`10.90.${subnet}.1/24`],
      veth: { peer_if_name: peer },
    }),
    wantInterface({ name: peer, type: "VETH", enabled: true, veth: { peer_if_name: name } }),
    wantRoute({ outgoing_interface: name, dst_network: `10.91.${subnet}.0/24`, gw_addr: `10.90.${subnet}.2` }),
  ];
}

/** What iproute2 says of it. */
async function kernelHas(name: string, subnet: number) {
  const found = await link(name);
  const routes = await ip<{ dev: string }>("route", "show", `10.91.${subnet}.0/24`);
  return {
    link: found !== undefined,
    peer: (await link(`${name}-p`)) !== undefined,
    addresses: found === undefined ? [] : addressesOf(found),
    routes: routes.map(({ dev }) => dev),
  };
}

const whole = (name: string, subnet: number) => ({
  link: true,
  peer: true,
  addresses: [`10.90.${subnet}.1/24`],
  routes: [name],
});
const nothing = { link: false, peer: false, addresses: [], routes: [] };

type Case = readonly [what: string, fault: NetlinkFault, times: number];
type Operation = (typeof OPERATIONS)[number];

const FAULTS: readonly Case[] = [
  ["EBUSY once", { kind: "errno", errno: EBUSY }, 1],
  ["ENOMEM three times", { kind: "errno", errno: ENOMEM }, 3],
  ["ENOBUFS from the send", { kind: "errno", errno: ENOBUFS }, 1],
  ["an answer that is lost", { kind: "lost-answer" }, 1],
  ["two answers that are lost", { kind: "lost-answer" }, 2],
  ["events that are lost", { kind: "lost-events" }, 1],
  ["an answer that takes its time", { kind: "delay", ms: 100 }, 2],
];
const OPERATIONS = [
  ["creating a link", RTM_NEWLINK],
  ["adding an address", RTM_NEWADDR],
  ["adding a route", RTM_NEWROUTE],
  ["deleting a link", RTM_DELLINK],
] as const;

let faults: NetlinkFaults;
let agent: NetworkAgent;
const start = async () => {
  faults = new NetlinkFaults();
  agent = await NetworkAgent.start("faults", { scheduler: { retry_period: "20ms", retry_backoff: false } });
};
test.before(start);
test.after.always(async () => {
  faults.end();
  await agent.resync();
  await agent.close();
});

const commit = (changes: readonly Desired[]) => agent.scheduler.commit({ changes });
const BYSTANDER = ["stays", 200] as const;

/** The values of a case that are not as they should be, in the agent's words. */
const complaints = (keys: readonly string[]) =>
  keys.map((key) => agent.status(key)).filter(({ state, error }) => error !== "" || state === "RETRYING");

const asIs = (expected: object, name: string, subnet: number) =>
  eventually(async () => {
    const found = JSON.stringify(await kernelHas(name, subnet));
    if (found !== JSON.stringify(expected)) throw new Error(`the kernel has ${found}`);
    return true;
  });

async function meet(t: ExecutionContext, [what, fault, times]: Case, [operation, type]: Operation, subnet: number) {
  const title = `${what}, ${operation}`;
  const name = `f${subnet}`;
  const values = network(name, subnet);
  const keys = values.map(([key]) => key);
  const isDeletion = type === RTM_DELLINK;
  if (isDeletion) await commit(values);
  faults.inject(fault, type, times);
  const record = await commit(isDeletion ? keys.map((key): Desired => [key, undefined]) : values);
  const failed = record.executed.filter(({ error }) => error !== "");
  if (fault.kind === "errno")
    t.regex(failed.map(({ error }) => error).join(), /EBUSY|ENOMEM|ENOBUFS/, `${title} is told`);
  if (fault.kind === "delay" || fault.kind === "lost-events") t.deepEqual(failed, [], title);
  await asIs(isDeletion ? nothing : whole(name, subnet), name, subnet);
  await eventually(() => complaints(keys).length === 0, { what: `${title}: ${JSON.stringify(complaints(keys))}` });
  t.true(faults.end() > 0, `${title}: the fault was met`);
  for (const key of isDeletion ? [] : keys) t.is(agent.status(key).state, "CONFIGURED", `${title}: ${key}`);
}

test.serial("what goes wrong between agent and kernel is tried again, and costs no other value anything", async (t) => {
  await commit(network(...BYSTANDER));
  const before = await link("stays");
  let subnet = 0;
  for (const each of FAULTS) {
    for (const operation of OPERATIONS) {
      subnet += 1;
      await meet(t, each, operation, subnet);
    }
  }
  t.deepEqual(await kernelHas(...BYSTANDER), whole(...BYSTANDER));
  t.is((await link("stays"))?.ifindex, before?.ifindex, "and was not made anew");
  const resync = await agent.scheduler.resyncDownstream();
  t.deepEqual(resync.executed, [], "the agent's view is the kernel's");
});

test.serial(
  "a netlink thread that dies takes nothing along: the agent says so, and the next one goes on",
  async (t) => {
    for (const [place, [operation, type]] of OPERATIONS.entries()) {
      const [name, subnet] = [`d${place}`, 100 + place];
      const isDeletion = type === RTM_DELLINK;
      if (isDeletion) await commit(network(name, subnet));
      faults.inject({ kind: "death" }, type);
      const changes: readonly Desired[] = isDeletion
        ? network(name, subnet).map(([key]): Desired => [key, undefined])
        : network(name, subnet);
      const record = await agent.scheduler.commit({ changes, retry: false });
      t.true(
        record.executed.some(({ error }) => /netlink worker crashed/.test(String(error))),
        operation,
      );
      const health = agent.agent.get(Health);
      t.false(health.live, operation);
      t.regex(health.plugins().find(({ plugin }) => plugin === "netlink")?.reason ?? "", /crashed: .*told to die/);
      t.deepEqual(await kernelHas(...BYSTANDER), whole(...BYSTANDER), operation);
      await agent.close();
      await start();
      const desired = isDeletion ? [] : network(name, subnet);
      const index = (await link("stays"))?.ifindex;
      await agent.resync(...network(...BYSTANDER), ...desired);
      t.deepEqual(await kernelHas(name, subnet), isDeletion ? nothing : whole(name, subnet), operation);
      t.is((await link("stays"))?.ifindex, index);
    }
  },
);
