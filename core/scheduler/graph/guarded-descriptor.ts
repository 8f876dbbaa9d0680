import { deepEqual } from "../api/equality.js";
import type { AnyDescriptor } from "./node.js";

/** Told of what a descriptor did wrong. */
export type Report = (message: string, cause: unknown) => void;

type Writable<T> = { -readonly [K in keyof T]: T[K] };

/**
 * A descriptor as the scheduler uses it. Where something pure throws, and nothing says which value is to blame, the
 * scheduler goes on with the safe answer: values are compared field by field, a change is made by re-creation, nothing is claimed,
 * a failure is retried, a key is not selected. What throws otherwise fails the value (`create` …) or makes it
 * invalid (`validate`, `dependencies`, `derivedValues`), which is seen to where they are called.
 */
export function guarded(own: AnyDescriptor, report: Report): AnyDescriptor {
  const safely =
    <A extends readonly unknown[], R>(name: string, call: (...args: A) => R, otherwise: (...args: NoInfer<A>) => R) =>
    (...args: A): R => {
      try {
        return call(...args);
      } catch (error) {
        report(`${name} of descriptor ${own.name} threw`, error);
        return otherwise(...args);
      }
    };
  const descriptor: Writable<AnyDescriptor> = unguarded(own);
  if (own.selects) descriptor.selects = safely("selects", own.selects.bind(own), () => false);
  if (own.equivalent) {
    descriptor.equivalent = safely("equivalent", own.equivalent.bind(own), (_key, a, b) => deepEqual(a, b));
  }
  if (own.updateWithRecreate) {
    descriptor.updateWithRecreate = safely("updateWithRecreate", own.updateWithRecreate.bind(own), () => true);
  }
  if (own.claims) descriptor.claims = safely("claims", own.claims.bind(own), () => []);
  if (own.isRetriableFailure) {
    descriptor.isRetriableFailure = safely("isRetriableFailure", own.isRetriableFailure.bind(own), () => true);
  }
  return descriptor;
}

/** The parts of a descriptor that may throw. Its methods may use `this`. */
function unguarded(own: AnyDescriptor): AnyDescriptor {
  const { name, prefix, drift, retrieveAfter, concurrency, metadataMap } = own;
  return {
    name,
    prefix,
    ...(drift && { drift }),
    ...(retrieveAfter && { retrieveAfter }),
    ...(concurrency && { concurrency }),
    ...(metadataMap && { metadataMap }),
    ...(own.validate && { validate: own.validate.bind(own) }),
    ...(own.create && { create: own.create.bind(own) }),
    ...(own.update && { update: own.update.bind(own) }),
    ...(own.delete && { delete: own.delete.bind(own) }),
    ...(own.createMany && { createMany: own.createMany.bind(own) }),
    ...(own.deleteMany && { deleteMany: own.deleteMany.bind(own) }),
    ...(own.retrieve && { retrieve: own.retrieve.bind(own) }),
    ...(own.derivedValues && { derivedValues: own.derivedValues.bind(own) }),
    ...(own.dependencies && { dependencies: own.dependencies.bind(own) }),
  };
}
