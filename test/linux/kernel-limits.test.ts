/** What the kernel itself says of a value just outside of what is taken here, and that what is just inside is there. */
import test from "ava";
import type { Route, Rule } from "#proto/index.js";
import { run } from "#test/support/sandbox.js";
import { pair } from "./support/links.js";
import {
  type Desired,
  NetworkAgent,
  states,
  wantInterface,
  wantRoute,
  wantRouteWithoutInterface,
  wantRule,
} from "./support/network.js";

let agent: NetworkAgent;
test.before(async () => {
  agent = await NetworkAgent.start("limits");
  await agent.commit(...network);
});
test.after.always(async () => {
  await agent.resync();
  await agent.close();
});

const network = pair("va", { ip_addresses: ["10.40.0.1/24", "fd00:40::1/64"] });
const route = (value: Route): Desired => wantRoute({ dst_network: "10.41.0.0/16", outgoing_interface: "va", ...value });
const rule = (value: Rule): Desired => wantRule({ priority: 4000, table: 40, ...value });
const via = (gw_addr: string): Desired =>
  route({ gw_addr, dst_network: gw_addr.includes(":") ? "fd00:41::/64" : "10.41.0.0/16", on_link: true });
const address = (text: string): Desired =>
  wantInterface({ name: "br", type: "BRIDGE", enabled: true, bridge: {}, ip_addresses: [text] });

interface Limit {
  /** The field, and a value that is refused. */
  readonly field: string;
  readonly wrong: Desired;
  /** The same for iproute2. Left out: the kernel takes it, and forgets it or makes it something else. */
  readonly kernel?: string;
  readonly right: Desired;
}

const LIMITS: Readonly<Record<string, Limit>> = {
  "a gateway that is a group": {
    field: "gw_addr",
    wrong: via("224.0.0.1"),
    kernel: "route add 10.41.0.0/16 via 224.0.0.1 dev va onlink",
    right: via("240.0.0.1"),
  },
  "a gateway that is everybody": {
    field: "gw_addr",
    wrong: via("255.255.255.255"),
    kernel: "route add 10.41.0.0/16 via 255.255.255.255 dev va onlink",
    right: via("223.255.255.255"),
  },
  "a gateway that is this host": {
    field: "gw_addr",
    wrong: via("127.0.0.1"),
    kernel: "route add 10.41.0.0/16 via 127.0.0.1 dev va onlink",
    right: via("126.0.0.1"),
  },
  "an IPv6 gateway that is a group": {
    field: "gw_addr",
    wrong: via("ff02::1"),
    kernel: "-6 route add fd00:41::/64 via ff02::1 dev va",
    right: via("fe80::1"),
  },
  "an IPv6 gateway that is this host": {
    field: "gw_addr",
    wrong: via("::1"),
    kernel: "-6 route add fd00:41::/64 via ::1 dev va",
    right: via("fe80::1"),
  },
  "a scope of the link with a gateway": {
    field: "scope",
    wrong: route({ scope: "LINK", gw_addr: "10.40.0.2" }),
    kernel: "route add 10.41.0.0/16 via 10.40.0.2 scope link",
    right: route({ scope: "SITE", gw_addr: "10.40.0.2" }),
  },
  "a scope of the host with a gateway": {
    field: "scope",
    wrong: route({ scope: "HOST", gw_addr: "10.40.0.2" }),
    kernel: "route add 10.41.0.0/16 via 10.40.0.2 scope host",
    right: route({ scope: "HOST" }),
  },
  "a scope of the host with two ways": {
    field: "scope",
    wrong: wantRouteWithoutInterface({
      dst_network: "10.41.0.0/16",
      scope: "HOST",
      next_hops: [{ outgoing_interface: "va" }, { outgoing_interface: "vap" }],
    }),
    kernel: "route add 10.41.0.0/16 scope host nexthop dev va nexthop dev vap",
    right: route({ scope: "HOST" }),
  },
  "a route with too large an MTU": { field: "mtu", wrong: route({ mtu: 65_521 }), right: route({ mtu: 65_520 }) },
  "a type of service beyond the five bits of IPv4": {
    field: "tos",
    wrong: rule({ tos: 32 }),
    kernel: "rule add priority 4000 tos 0x20 table 40",
    right: rule({ tos: 28 }),
  },
  "a type of service with bits of congestion": {
    field: "tos",
    wrong: rule({ tos: 254, family: "IPV6" }),
    kernel: "-6 rule add priority 4000 tos 0xfe table 40",
    right: rule({ tos: 252, family: "IPV6" }),
  },
  "the last port of all": {
    field: "dst_ports.first",
    wrong: rule({ ip_protocol: 6, dst_ports: { first: 65_535 } }),
    kernel: "rule add priority 4000 ipproto tcp dport 65535 table 40",
    right: rule({ ip_protocol: 6, dst_ports: { first: 65_534 } }),
  },
  "a goto to the rule itself": {
    field: "goto_priority",
    wrong: wantRule({ priority: 4000, action: "GOTO", goto_priority: 4000 }),
    kernel: "rule add priority 4000 goto 4000",
    right: wantRule({ priority: 4000, action: "GOTO", goto_priority: 4001 }),
  },
  "a length that suppresses nothing": {
    field: "suppress_prefix_length",
    wrong: rule({ suppress_prefix_length: 0xffffffff }),
    right: rule({ suppress_prefix_length: 200 }),
  },
  "the address of nobody": { field: "ip_addresses[0]", wrong: address("0.0.0.0/8"), right: address("240.0.0.1/8") },
  "the IPv6 address of nobody": {
    field: "ip_addresses[0]",
    wrong: address("::/64"),
    kernel: "address add ::/64 dev va",
    right: address("::ffff:1.2.3.4/128"),
  },
  "the address of a group": {
    field: "ip_addresses[0]",
    wrong: address("ff02::5/64"),
    kernel: "address add ff02::5/64 dev va",
    right: address("fd00:42::5/64"),
  },
  "the loopback's address elsewhere": {
    field: "ip_addresses[0]",
    wrong: address("::1/128"),
    kernel: "address add ::1/128 dev va",
    right: address("::2/128"),
  },
};

for (const [what, { field, wrong, kernel, right }] of Object.entries(LIMITS)) {
  test.serial(`refused for ever by the kernel, and here: ${what}`, async (t) => {
    if (kernel !== undefined) await t.throwsAsync(run(["ip", ...kernel.split(" ")]), undefined, kernel);
    const record = await agent.commit(wrong);
    t.true(states(record)[wrong[0]]?.startsWith(`INVALID: ${field}: `), JSON.stringify(states(record)));
    await agent.commit([wrong[0], undefined], right);
    t.like(agent.status(right[0]), { state: "CONFIGURED", error: "" });
    t.is(agent.status(right[0]).derived.filter(({ error }) => error !== "").length, 0);
    await agent.commit([right[0], undefined]);
  });
}
