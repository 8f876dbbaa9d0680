import test from "ava";
import { parseNatsAddress } from "#proto/nats-address.js";

const TABLE: readonly (readonly [string, object])[] = [
  ["nats://127.0.0.1:4222", { servers: ["127.0.0.1:4222"], tls: false }],
  ["bus", { servers: ["bus:4222"], tls: false }],
  [" a:1, b:2 ,", { servers: ["a:1", "b:2"], tls: false }],
  ["tls://bus.example.com", { servers: ["bus.example.com:4222"], tls: true }],
  ["nats://[::1]:4223", { servers: ["[::1]:4223"], tls: false }],
  ["nats://me:p%40ss@bus", { servers: ["bus:4222"], tls: false, user: "me", password: "p@ss" }],
  ["nats://s3cret@bus", { servers: ["bus:4222"], tls: false, token: "s3cret" }],
  ["", { servers: [], tls: false }],
];

for (const [address, expected] of TABLE) {
  test(`the address "${address}"`, (t) => {
    t.deepEqual(parseNatsAddress(address), expected as ReturnType<typeof parseNatsAddress>);
  });
}

test("what is no address is refused without quoting what may be a password", (t) => {
  for (const address of ["http://me:secret@bus", "nats://me:secret@", "nats://me:secret@bus:port"]) {
    const error = t.throws(() => parseNatsAddress(address), { instanceOf: TypeError }, address);
    t.false(error.message.includes("secret"));
  }
});
