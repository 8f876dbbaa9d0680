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

test("control characters of others do not reach the terminal", (t) => {
  t.is(columns(["key"], [["a\u001b[2Jb\nc"]]), "KEY\na\\x1b[2Jb\\x0ac\n");
});

const STATES = [
  ["config/a", "PENDING", "interface b with c as its peer, and gateway 10.0.0.1 to be reachable"],
  ["config/b", "CONFIGURED", ""],
];

test("where the width is known, the last column is wrapped between words and no other one is cut", (t) => {
  const text = `KEY       STATE       DETAILS
config/a  PENDING     interface b with c as its peer,
                      and gateway 10.0.0.1 to be
                      reachable
config/b  CONFIGURED
`;
  t.is(columns(["key", "state", "details"], STATES, 54), text);
  const narrow = `KEY       STATE       DETAILS
config/a  PENDING
    interface b with c as its
    peer, and gateway 10.0.0.1
    to be reachable
config/b  CONFIGURED
`;
  t.is(columns(["key", "state", "details"], STATES, 30), narrow);
});
