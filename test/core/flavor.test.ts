import test from "ava";
import { InvalidInputError } from "#core/errors.js";
import { type Flavor, flavor } from "#core/flavor/index.js";
import { recording, thrownBy } from "./support/agents.js";

const [A, B, C, D, E] = ["a", "b", "c", "d", "e"].map((name) => recording(name, [])) as [
  ReturnType<typeof recording>,
  ReturnType<typeof recording>,
  ReturnType<typeof recording>,
  ReturnType<typeof recording>,
  ReturnType<typeof recording>,
];
const linux = flavor("linux", [B, C]);
const abc = flavor("abc", [A, linux]);

const scenarios: readonly (readonly [claim: string, flavor: () => Flavor, plugins: string])[] = [
  ["lists its plugins in order", () => flavor("x", [C, A, B]), "c a b"],
  ["takes the plugins of a bundle in its place", () => flavor("x", [A, linux, D]), "a b c d"],
  ["takes another flavor with everything in it", () => flavor("x", [abc, D]), "a b c d"],
  ["collapses a plugin that comes twice into its first place", () => flavor("x", [B, abc, B]), "b a c"],
  ["with adds at the end", () => abc.with(D, E), "a b c d e"],
  ["with adds a flavor", () => flavor("x", [A]).with(linux), "a b c"],
  ["with leaves a plugin that is there where it is", () => abc.with(A), "a b c"],
  ["without takes a class", () => abc.without(B), "a c"],
  ["without takes a name", () => abc.without("b", "a"), "c"],
  ["without takes a bundle", () => abc.without(linux), "a"],
  ["without takes the name of a bundle", () => abc.without("linux"), "a"],
  ["without takes what is left of a bundle", () => abc.without(B).without("linux"), "a"],
  ["replace puts a plugin in the place of another", () => abc.replace(B, D), "a d c"],
  ["replace takes a name", () => abc.replace("a", D), "d b c"],
  ["replace puts one plugin in the place of a bundle", () => abc.replace("linux", D), "a d"],
  ["replace puts a bundle in the place of a plugin", () => flavor("x", [A, D]).replace(A, linux), "b c d"],
  ["before inserts right before", () => abc.before(B, D), "a d b c"],
  ["before a bundle is before its first plugin", () => abc.before("linux", D), "a d b c"],
  ["after inserts right after", () => abc.after("a", D), "a d b c"],
  ["after a bundle is after its last plugin", () => flavor("x", [linux, E]).after(linux, D), "b c d e"],
  ["before moves a plugin that is there", () => abc.before(A, C), "c a b"],
  ["after moves a plugin that is there", () => abc.after(C, A), "b c a"],
  ["before itself changes nothing", () => abc.before(B, B), "a b c"],
  ["after keeps the order of what it inserts", () => flavor("x", [A, D]).after(A, linux), "a b c d"],
];

for (const [claim, make, plugins] of scenarios) {
  test(`a flavor ${claim}`, (t) => {
    t.is(make().names.join(" "), plugins);
  });
}

test("operations leave the flavor they are called on as it was", (t) => {
  abc.with(D);
  abc.without(A);
  abc.replace(A, D);
  abc.before(A, D);
  t.deepEqual(abc.names, ["a", "b", "c"]);
});

test("a flavor keeps its name through operations, until it is given another", (t) => {
  t.is(abc.with(D).name, "abc");
  t.is(abc.named("mine").name, "mine");
  t.deepEqual(abc.named("mine").names, abc.names);
});

test("a flavor tells what it has by class, name and bundle", (t) => {
  t.true(abc.has(A) && abc.has("b") && abc.has("linux") && abc.has(linux));
  t.false(abc.has(D) || abc.has("d"));
});

for (const [name, operation] of Object.entries({
  without: () => abc.without("lniux"),
  replace: () => abc.replace("lniux", D),
  before: () => abc.before("lniux", D),
  after: () => abc.after("lniux", D),
})) {
  test(`${name} of an unknown plugin is refused and lists what there is`, async (t) => {
    const error = await thrownBy(InvalidInputError, operation);
    t.is(error.code, "FLAVOR_PART_UNKNOWN");
    t.is(error.message, 'flavor abc has no plugin "lniux"; it has: a, b, c; bundles: linux; did you mean "linux"?');
  });
}

test("an unknown class is called by its plugin name", async (t) => {
  t.regex((await thrownBy(InvalidInputError, () => abc.without(D))).message, /^flavor abc has no plugin "d"/);
});

test("two different plugins with one name are refused, and the message says how to have one of them", async (t) => {
  const otherA = recording("a", []);
  const error = await thrownBy(InvalidInputError, () => flavor("x", [A, otherA]));
  t.is(error.code, "FLAVOR_DUPLICATE_NAME");
  t.regex(error.message, /both called "a"; use replace\("a"/);
});

test("what is no plugin is refused", async (t) => {
  class NoPlugin {}
  const error = await thrownBy(InvalidInputError, () => flavor("x", [NoPlugin]));
  t.is(error.code, "FLAVOR_ITEM_NOT_A_PLUGIN");
  t.regex(error.message, /^NoPlugin is not a plugin/);
});
