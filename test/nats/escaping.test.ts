import test from "ava";
import fc from "fast-check";
import { escapeKey, escapeToken, unescapeKey } from "#proto/escaping.js";
import { configBucketKey, keyFromConfigBucket, nameFromStateBucket, stateBucketKey } from "#proto/nats.js";

/** Text that has a UTF-8 form: no lone surrogates. */
const text = fc.string({ unit: "binary" });

/** What a NATS key-value key may look like. */
const VALID_KEY = /^[-/_=.a-zA-Z0-9]+$/;

test("every text survives escaping", (t) => {
  fc.assert(
    fc.property(text, (name) => unescapeKey(escapeKey(name)) === name && unescapeKey(escapeToken(name)) === name),
  );
  t.pass();
});

test("an escaped name is a single token and a valid key, and different names stay different", (t) => {
  fc.assert(
    fc.property(text, text, (a, b) => {
      const token = escapeToken(a);
      return /^[-_=a-zA-Z0-9]*$/.test(token) && (a === b) === (token === escapeToken(b));
    }),
  );
  t.pass();
});

test("a key in a bucket is valid whatever label and key are, and gives the key back to its own label only", (t) => {
  fc.assert(
    fc.property(text, text, text, (label, other, key) => {
      const bucketKey = configBucketKey(label, key);
      const valid = label === "" || key === "" || VALID_KEY.test(bucketKey);
      return (
        valid &&
        keyFromConfigBucket(label, bucketKey) === key &&
        (label === other || keyFromConfigBucket(other, bucketKey) === undefined)
      );
    }),
  );
  fc.assert(fc.property(text, text, (label, name) => nameFromStateBucket(label, stateBucketKey(label, name)) === name));
  t.pass();
});

test("the contract's examples", (t) => {
  const key = "config/linux/l3/v2/route/10.1.0.0/16/veth1";
  t.is(escapeKey(key), "config/linux/l3/v2/route/10=2E1=2E0=2E0/16/veth1");
  t.is(escapeToken("a/b.c ü"), "a=2Fb=2Ec=20=C3=BC");
  t.is(unescapeKey(key), key, "a plain dot, written by hand");
  t.is(unescapeKey("a=2eb"), "a.b", "lower-case digits");
  for (const broken of ["a=", "a=2", "a=ZZ", "=C3"]) t.is(unescapeKey(broken), undefined, broken);
});
