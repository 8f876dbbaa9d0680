import test from "ava";
import { DumpMemory, type NamespaceHandle, type Route } from "#plugins/netlink/index.js";
import { addPair, openNamespace, openNetlink } from "./support.js";

const PROTOCOL = 77;
const ours = { protocol: PROTOCOL } as const;

function routeTo(n: number, linkIndex: number, more: Partial<Route> = {}): Route {
  return { destination: `10.${n >> 8}.${n & 255}.0/24`, linkIndex, protocol: PROTOCOL, ...more };
}

function nameOf({ destination, metric = 0, scope }: Route): string {
  return `${destination} metric ${metric} scope ${scope}`;
}

/** Reads again and again, and says what had to be decoded. */
class RepeatedReader {
  private readonly memory = new DumpMemory<string>();
  private readonly revalidated = new Set<string>();

  constructor(private readonly namespace: NamespaceHandle) {}

  async read(meaningless: (route: Route) => boolean = () => false): Promise<{ found: string[]; decoded: string[] }> {
    const decoded: string[] = [];
    const found = await this.namespace.routeRecall(this.memory, ours, {
      stands: (meaning) => !this.revalidated.has(meaning),
      interpret(route) {
        decoded.push(nameOf(route));
        return meaningless(route) ? undefined : nameOf(route);
      },
    });
    return { found: [...found].sort(), decoded: decoded.sort() };
  }

  /** What was made of a route does not stand any more. */
  revalidate(route: string): void {
    this.revalidated.add(route);
  }
}

const COUNT = 1_000;

test("what has not changed since the last dump is not decoded, and everything else is", async (t) => {
  const netlink = await openNetlink(t);
  const namespace = await openNamespace(t, netlink, "recall");
  const { index } = await addPair(namespace, "eth");
  const routes = Array.from({ length: COUNT }, (_, n) => routeTo(n, index));
  await namespace.routeAddMany([...routes, { ...routeTo(0, index), destination: "fd00::/64" }]);
  const reader = new RepeatedReader(namespace);
  const listed = async (): Promise<string[]> => (await namespace.routeList(ours)).map(nameOf).sort();

  const first = await reader.read();
  t.deepEqual(first.found, await listed());
  t.deepEqual(first.decoded, first.found);
  t.deepEqual(await reader.read(), { found: first.found, decoded: [] });

  // One goes, one comes, one is changed and one is there twice, far from each other in the dump.
  await namespace.routeDel(routeTo(10, index));
  await namespace.routeAdd({ ...routeTo(300, index), destination: "10.1.44.128/25" });
  await namespace.routeReplace(routeTo(500, index, { scope: 200 }));
  await namespace.routeAdd(routeTo(700, index, { metric: 7 }));
  const second = await reader.read();
  t.deepEqual(second.found, await listed());
  t.deepEqual(second.decoded, [
    "10.1.244.0/24 metric 0 scope 200",
    "10.1.44.128/25 metric 0 scope 253",
    "10.2.188.0/24 metric 7 scope 253",
  ]);
  t.deepEqual(await reader.read(), { found: second.found, decoded: [] });

  // What is put back as it was before the last dump is new.
  await namespace.routeReplace(routeTo(500, index));
  t.deepEqual((await reader.read()).decoded, ["10.1.244.0/24 metric 0 scope 253"]);

  const half = routes.filter((_, n) => n % 2 === 0);
  await namespace.routeDelMany(half);
  const third = await reader.read();
  t.deepEqual(third.found, await listed());
  t.deepEqual(third.decoded, []);
  await namespace.routeAddMany(half);
  const fourth = await reader.read();
  t.deepEqual(fourth.found, await listed());
  t.deepEqual(fourth.decoded, half.map((route) => nameOf({ ...route, scope: 253 })).sort());
});

test("what a caller has no use for, or revalidates, is shown to it again", async (t) => {
  const netlink = await openNetlink(t);
  const namespace = await openNamespace(t, netlink, "revalidate");
  const { index } = await addPair(namespace, "eth");
  await namespace.routeAddMany(Array.from({ length: 10 }, (_, n) => routeTo(n, index)));
  const reader = new RepeatedReader(namespace);
  const isMeaningless = ({ destination }: Route): boolean => destination === "10.0.3.0/24";
  for (const decodings of [10, 1, 1]) {
    const { found, decoded } = await reader.read(isMeaningless);
    t.is(found.length, 9);
    t.is(decoded.length, decodings);
  }
  reader.revalidate("10.0.5.0/24 metric 0 scope 253");
  t.deepEqual((await reader.read()).decoded, ["10.0.3.0/24 metric 0 scope 253", "10.0.5.0/24 metric 0 scope 253"]);
});

test("the memory is for what was there: an empty dump leaves nothing of it", async (t) => {
  const netlink = await openNetlink(t);
  const namespace = await openNamespace(t, netlink, "empty");
  const { index } = await addPair(namespace, "eth");
  const reader = new RepeatedReader(namespace);
  t.deepEqual(await reader.read(), { found: [], decoded: [] });
  await namespace.routeAdd(routeTo(1, index));
  t.is((await reader.read()).decoded.length, 1);
  await namespace.routeDel(routeTo(1, index));
  t.deepEqual((await reader.read()).found, []);
  await namespace.routeAdd(routeTo(1, index));
  t.is((await reader.read()).decoded.length, 1);
});
