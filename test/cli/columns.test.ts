import test from "ava";
import { columns } from "#cli/columns.js";

test("columns are as wide as their widest cell, and no line ends in spaces", (t) => {
  const text = columns(
    ["key", "state"],
    [
      ["a/long/key", "CONFIGURED"],
      ["b", ""],
    ],
  );
  t.is(text, "KEY         STATE\na/long/key  CONFIGURED\nb\n");
});

test("a table without rows is its heading", (t) => {
  t.is(columns(["key", "state"], []), "KEY  STATE\n");
});

test("control characters of strangers do not reach the terminal", (t) => {
  t.is(columns(["key"], [["a\u001b[2Jb\nc"]]), "KEY\na\\x1b[2Jb\\x0ac\n");
});
