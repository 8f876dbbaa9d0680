import test from "ava";
import fc from "fast-check";
import { formatIp, parseIp } from "#plugins/netlink/codec/ip.js";

function canonical(text: string): string | undefined {
  const bytes = new Uint8Array(16).fill(0xaa);
  const length = parseIp(text, bytes, 0);
  return length === 0 ? undefined : formatIp(bytes, 0, length);
}

const written: readonly (readonly [text: string, canonical: string])[] = [
  ["10.0.0.1", "10.0.0.1"],
  ["255.255.255.255", "255.255.255.255"],
  ["::", "::"],
  ["::1", "::1"],
  ["1::", "1::"],
  ["2001:DB8::00ff", "2001:db8::ff"],
  // RFC 5952 §4.2.2: one zero group is not shortened. §4.2.3: the longest run is, and of equals the first.
  ["2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"],
  ["2001:0:0:1:0:0:0:1", "2001:0:0:1::1"],
  ["2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"],
  ["1:2:3:4:5:6:7::", "1:2:3:4:5:6:7:0"],
  ["::2:3:4:5:6:7:8", "0:2:3:4:5:6:7:8"],
  // §5: addresses that are known to hold an IPv4 address.
  ["::ffff:10.0.0.1", "::ffff:10.0.0.1"],
  ["::ffff:a00:1", "::ffff:10.0.0.1"],
  ["64:ff9b::192.0.2.33", "64:ff9b::c000:221"],
  ["1:2:3:4:5:6:1.2.3.4", "1:2:3:4:5:6:102:304"],
];

for (const [text, expected] of written) {
  test(`${text} is written ${expected}`, (t) => {
    t.is(canonical(text), expected);
  });
}

const refused = [
  ..."|1|1.2.3|1.2.3.4.5|1.2.3.256|01.2.3.4|1.2.3.|1..2.3|1.2.3.4 |:|:::|1:|:1|1:2|1:2:3:4:5:6:7|1:2:3:4:5:6:7:8:9".split(
    "|",
  ),
  ..."1:2:3:4:5:6:7:8::|::1::|12345::|g::|fe80::1%eth0|1.2.3.4::|::1.2.3|1:2:3:4:5:6:7:1.2.3.4|::1.2.3.4:1".split("|"),
];

for (const text of refused) {
  test(`"${text}" is no address`, (t) => {
    t.is(canonical(text), undefined);
  });
}

test("agrees with the platform's URL parser on every IPv6 address, however it is written", (t) => {
  fc.assert(
    fc.property(fc.ipV6(), (text) => {
      const bytes = new Uint8Array(16);
      t.is(parseIp(text, bytes, 0), 16);
      const theirs = new URL(`http://[${text}]/`).hostname.slice(1, -1);
      const again = new Uint8Array(16);
      parseIp(theirs, again, 0);
      t.deepEqual(bytes, again);
      // URLs do not write the IPv4 address of a mapped address in dots.
      if (!theirs.startsWith("::ffff:")) t.is(formatIp(bytes, 0, 16), theirs);
    }),
  );
});

test("an IPv4 address is written as it was", (t) => {
  fc.assert(
    fc.property(fc.ipV4(), (text) => {
      t.is(canonical(text), text);
    }),
  );
});
