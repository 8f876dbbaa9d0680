import { BugError } from "../../errors.js";
import type { Descriptor } from "../api/scheduler.js";
import { guarded, type Report } from "./guarded-descriptor.js";
import type { AnyDescriptor } from "./node.js";

/** The registered descriptors, found by key: the longest prefix that selects the key wins. */
export class Descriptors {
  private readonly byPrefixLength: AnyDescriptor[] = [];
  private readonly byName = new Map<string, AnyDescriptor>();

  constructor(readonly report: Report) {}

  register<V extends object, M>(descriptor: Descriptor<V, M>): void {
    if (this.byName.has(descriptor.name)) {
      throw new BugError("DUPLICATE_DESCRIPTOR", `two descriptors are named "${descriptor.name}"`);
    }
    // The registry hands each descriptor only values of its own keys, so that erasing the types here is sound.
    const erased = descriptor as unknown as AnyDescriptor;
    const registered = guarded(erased, this.report);
    this.byName.set(descriptor.name, registered);
    this.byPrefixLength.push(registered);
    this.byPrefixLength.sort((a, b) => b.prefix.length - a.prefix.length);
  }

  forKey(key: string): AnyDescriptor | undefined {
    return this.byPrefixLength.find((each) => key.startsWith(each.prefix) && (each.selects?.(key) ?? true));
  }

  named(name: string): AnyDescriptor | undefined {
    return this.byName.get(name);
  }

  all(): readonly AnyDescriptor[] {
    return [...this.byName.values()];
  }

  /** Those that can read what is in the southbound, each after the ones it names in `retrieveAfter`. */
  inRetrieveOrder(): readonly AnyDescriptor[] {
    const ordered = new Set<AnyDescriptor>();
    const visiting = new Set<AnyDescriptor>();
    const visit = (descriptor: AnyDescriptor): void => {
      if (ordered.has(descriptor) || visiting.has(descriptor)) return;
      visiting.add(descriptor);
      for (const name of descriptor.retrieveAfter ?? []) {
        const before = this.byName.get(name);
        if (before !== undefined) visit(before);
      }
      ordered.add(descriptor);
    };
    for (const descriptor of this.byName.values()) visit(descriptor);
    return [...ordered].filter((each) => each.retrieve !== undefined);
  }
}
