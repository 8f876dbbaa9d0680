import test from "ava";
import { type Box, layOut } from "#plugins/http/graph/layout.js";

function boxes(names: string): readonly Box[] {
  return [...names].map((id) => ({ id, width: 100, height: 20 }));
}

function arrows(text: string): readonly { readonly from: string; readonly to: string }[] {
  return text.split(" ").map(([from = "", to = ""]) => ({ from, to }));
}

test("arrows lead to the right, over as many columns as the longest way has", (t) => {
  const { boxes: placed } = layOut(boxes("abcd"), arrows("ab bc ac cd"));
  const columns = [..."abcd"].map((id) => placed.get(id)?.x ?? 0);
  t.deepEqual(
    columns,
    [...new Set(columns)].sort((a, b) => a - b),
  );
});

test("no two boxes cover each other, and all are inside the picture", (t) => {
  const { boxes: placed, width, height } = layOut(boxes("abcdefgh"), arrows("ab ac ad ae bf cf df ef hg"));
  const all = [...placed.values()];
  for (const one of all) {
    t.true(one.x >= 0 && one.y >= 0 && one.x + one.width <= width && one.y + one.height <= height);
    for (const other of all) {
      if (other === one || other.x !== one.x) continue;
      t.true(one.y + one.height <= other.y || other.y + other.height <= one.y, `${one.id} ${other.id}`);
    }
  }
});

test("arrows do not cross where they need not", (t) => {
  const { boxes: placed } = layOut(boxes("abcxyz"), arrows("az by cx"));
  const y = (id: string): number => placed.get(id)?.y ?? 0;
  t.is(y("a"), y("z"));
  t.is(y("b"), y("y"));
  t.is(y("c"), y("x"));
});

test("two values that depend on each other, on themselves and on what is not there are placed all the same", (t) => {
  const { boxes: placed } = layOut(boxes("ab"), arrows("ab ba aa bz"));
  t.is(placed.size, 2);
});

test("a long chain and a wide star of 20,000 boxes are laid out at once", (t) => {
  const many = Array.from({ length: 20_000 }, (_, index) => ({ id: String(index), width: 100, height: 20 }));
  const chain = many.slice(1).map(({ id }) => ({ from: String(Number(id) - 1), to: id }));
  const star = many.slice(1).map(({ id }) => ({ from: "0", to: id }));
  t.is(layOut(many, star).boxes.size, many.length);
  t.is(layOut(many, chain).boxes.size, many.length);
});
