import test from "ava";
import { RequestGroup } from "#core/northbound/index.js";
import type { InterfaceState } from "#proto/index.js";
import { dropInterface, wantInterface } from "#test/linux/support/network.js";
import { eventually } from "#test/support/eventually.js";
import { run } from "#test/support/sandbox.js";
import { pair, Watched } from "./support/watched.js";

/** Interfaces that nobody configured, and states on request. */

let watched: Watched;
test.beforeEach(async () => {
  watched = await Watched.start({ interfaces: "all" });
  await watched.agent.resync();
});
test.afterEach.always(() => watched.close());

const deleted = (name: string) => watched.latest(name)?.oper_status === "DELETED";

test.serial("what is there, comes, is renamed and goes is told under its host name", async (t) => {
  await eventually(() => watched.about("lo").length > 0);
  t.is(watched.about("lo")[0]?.type, "SNAPSHOT");
  await run(["ip", "link", "add", "stray", "up", "type", "bridge"]);
  const state = await eventually(() => watched.latest("stray"));
  t.like(state, { internal_name: "stray", type: "EXISTING", kind: "bridge", admin_status: "UP" });
  t.is(state.managed, undefined);
  await run(["ip", "link", "set", "dev", "stray", "name", "renamed"]);
  await eventually(() => deleted("stray") && watched.latest("renamed")?.internal_name === "renamed");
  await run(["ip", "link", "delete", "renamed"]);
  await eventually(() => deleted("renamed"));
});

test.serial(
  "an interface that gets configured goes on as the same one, and is unmanaged again afterwards",
  async (t) => {
    await run(["ip", "link", "add", "handed", "type", "bridge"]);
    await run(["ip", "link", "add", "named", "type", "bridge"]);
    await eventually(() => watched.latest("handed") && watched.latest("named"));
    await watched.agent.commit(
      wantInterface({ name: "handed", type: "EXISTING", enabled: true, mtu: 1400 }),
      wantInterface({ name: "uplink", type: "EXISTING", host_if_name: "named", mtu: 1400 }),
    );
    await eventually(() => watched.latest("handed")?.mtu === 1400 && watched.latest("uplink")?.mtu === 1400);
    t.false(watched.story("handed").includes("UPDOWN DELETED"));
    await eventually(() => deleted("named"));
    await watched.agent.commit(dropInterface("handed"), dropInterface("uplink"));
    await eventually(() => deleted("uplink"));
    await eventually(() => ["handed", "named"].every((name) => !deleted(name)));
    for (const name of ["handed", "named"]) await run(["ip", "link", "delete", name]);
  },
);

test.serial(
  "in another namespace it has the namespace's name before its own, for as long as that is in use",
  async (t) => {
    await run(["ip", "netns", "add", "room"]);
    const inRoom = { namespace: { type: "NSID", reference: "room" } } as const;
    await run(["ip", "link", "add", "stray", "type", "bridge"], { namespace: "room" });
    await watched.agent.commit(...pair("inside", "outside", inRoom));
    t.like(await eventually(() => watched.latest("room/stray")), { internal_name: "stray", ...inRoom });
    await watched.agent.commit(dropInterface("inside"), dropInterface("outside"));
    await eventually(() => deleted("room/stray"));
  },
);

test.serial("a subscriber that asks gets every state, or one, once more", async (t) => {
  const groups = watched.agent.agent.getAll(RequestGroup);
  const { get, republish } = groups.find(({ name }) => name === "interfaces")!.requests;
  await watched.agent.commit(...pair("asked", "asked-far"));
  await eventually(() => watched.isUp("asked") && watched.isUp("asked-far") && watched.latest("asked")?.speed);
  const { length } = watched.all();
  t.deepEqual(await republish!.handle({ interface: "asked" }), { interfaces: 1 });
  t.like(watched.all().slice(length), { length: 1, 0: { type: "SNAPSHOT", state: { name: "asked" } } });
  const answer = (await republish!.handle({})) as { readonly interfaces: number };
  const names = watched
    .all()
    .slice(length + 1)
    .map(({ state }) => state?.name);
  t.is(names.length, answer.interfaces);
  for (const name of ["lo", "asked", "asked-far"]) t.true(names.includes(name));
  t.like(await get!.handle({ interface: "asked" }), { interfaces: { length: 1, 0: { name: "asked", type: "VETH" } } });
  const all = ((await get!.handle({})) as { readonly interfaces: readonly InterfaceState[] }).interfaces;
  t.deepEqual(
    all.map(({ name }) => name),
    names.toSorted(),
  );
  for (const request of [get, republish]) {
    t.throws(() => request!.handle({ interface: "nobody" }), { code: "UNKNOWN_INTERFACE" });
  }
});
