import test from "ava";
import { createModelRegistry } from "#core/model/index.js";
import { ROUTE_PREFIX, type Route, RULE_PREFIX, type Rule, routeModel, ruleModel } from "#proto/index.js";

const registry = createModelRegistry({ label: "t1" });
registry.register(routeModel);
registry.register(ruleModel);

const nsid = (reference: string) => ({ type: "NSID", reference }) as const;
const via = { dst_network: "10.0.0.0/8", outgoing_interface: "e1" };

/** Values, and their keys behind the prefix. */
const routes: readonly (readonly [name: string, value: Route])[] = [
  ["10.0.0.0/8/e1", via],
  ["10.0.0.0/8/e1;table=100;metric=5", { ...via, metric: 5, table: 100 }],
  ["10.0.0.0/8/e1;table=254", { ...via, table: 254 }],
  [
    "10.0.0.0/8/multipath;vrf=red",
    { dst_network: "10.0.0.0/8", vrf: "red", next_hops: [{ outgoing_interface: "e1" }] },
  ],
  ["10.0.0.0/8/=6Dultipath", { ...via, outgoing_interface: "multipath" }],
  ["10.0.0.0/8/a=3Bmetric=3D5", { ...via, outgoing_interface: "a;metric=5" }],
  [
    "::/0/unreachable;namespace=nsid:n1;metric=9",
    { type: "UNREACHABLE", dst_network: "::/0", namespace: nsid("n1"), metric: 9 },
  ],
];

for (const [name, value] of routes) {
  test(`the key of a route says what the kernel keeps apart: ${name}`, (t) => {
    t.is(registry.keyOf(routeModel.name, value), ROUTE_PREFIX + name);
    t.deepEqual(registry.decode(ROUTE_PREFIX + name, value), { key: ROUTE_PREFIX + name, value });
  });
}

test("the key of a rule says family and namespace", (t) => {
  const value: Rule = { priority: 7, table: 5, src_network: "fd00::/8", namespace: nsid("a/b;c") };
  t.is(registry.keyOf(ruleModel.name, value), `${RULE_PREFIX}7;family=ipv6;namespace=nsid:a/b=3Bc`);
  t.is(registry.keyOf(ruleModel.name, { priority: 7, family: "IPV4", table: 5 }), `${RULE_PREFIX}7`);
});

/** Keys that say less than the value, and the key that it is kept under. */
const short: readonly (readonly [given: string, value: Route | Rule, kept: string])[] = [
  [`${ROUTE_PREFIX}10.0.0.0/8/e1`, { ...via, metric: 5 }, `${ROUTE_PREFIX}10.0.0.0/8/e1;metric=5`],
  [`${ROUTE_PREFIX}10.1.2.3/8/e1`, { ...via, table: 9 }, `${ROUTE_PREFIX}10.0.0.0/8/e1;table=9`],
  [
    `${ROUTE_PREFIX}10.0.0.0/8/e1;metric=5`,
    { ...via, table: 9, metric: 5 },
    `${ROUTE_PREFIX}10.0.0.0/8/e1;table=9;metric=5`,
  ],
  [`${ROUTE_PREFIX}10.0.0.0/8/a;b=c`, { ...via, outgoing_interface: "a;b=c" }, `${ROUTE_PREFIX}10.0.0.0/8/a=3Bb=3Dc`],
  [
    `${ROUTE_PREFIX}10.0.0.0/8/prohibit`,
    { ...via, outgoing_interface: "prohibit" },
    `${ROUTE_PREFIX}10.0.0.0/8/=70rohibit`,
  ],
  [`${RULE_PREFIX}7`, { priority: 7, table: 5, family: "IPV6" }, `${RULE_PREFIX}7;family=ipv6`],
  [
    `${RULE_PREFIX}7;namespace=nsid:x`,
    { priority: 7, table: 5, family: "IPV6", namespace: nsid("x") },
    `${RULE_PREFIX}7;family=ipv6;namespace=nsid:x`,
  ],
];

for (const [given, value, kept] of short) {
  test(`a value is kept under the key that says all of it: ${given}`, (t) => {
    const decoded = registry.decode(given, value);
    t.is(decoded.key, kept);
    t.is(decoded.shortKey, registry.normaliseKey(given));
    t.true(registry.isShortFor(registry.normaliseKey(given), kept));
  });
}

test("attributes of a key have one order, and defaults are left out", (t) => {
  const key = `${ROUTE_PREFIX}10.1.2.3/8/e1;metric=5;table=0;vrf=red`;
  t.is(registry.normaliseKey(key), `${ROUTE_PREFIX}10.0.0.0/8/e1;vrf=red;metric=5`);
});

for (const name of ["10.0.0.0/8/e2", "10.0.0.0/8/e1;metric=6", "10.0.0.0/8/e1;table=9", "11.0.0.0/8/e1"]) {
  test(`a key that says something else than its value is refused: ${name}`, (t) => {
    t.throws(() => registry.decode(ROUTE_PREFIX + name, { ...via, metric: 5 }), {
      message: /10\.0\.0\.0\/8\/e1;metric=5/,
    });
  });
}
