import { posix } from "node:path";
import type { InvalidField } from "#core/scheduler/api/scheduler.js";
import type { NamespaceRef } from "#plugins/netlink/index.js";
import type { NetNamespace } from "#proto/index.js";

/** Obtained keys of the namespaces that values are in, or wait for. */
export const NAMESPACE_PREFIX = "linux/namespace/";
/** Obtained key of the agent's own namespace, which is always there. */
export const OWN_NAMESPACE_KEY = `${NAMESPACE_PREFIX}own`;

/** Largest process id: PID_MAX_LIMIT of the kernel's include/linux/threads.h on 64-bit machines. */
const PID_MAX = 4 * 1024 * 1024;

type Kind = NonNullable<NetNamespace["type"]>;

/** What is wrong with a reference, per kind; `undefined` when nothing is. */
const PROBLEMS: Readonly<Record<string, (reference: string) => string | undefined>> = {
  NSID: (name) =>
    name === "." || name === ".." || /[/\s\0]/.test(name) || Buffer.byteLength(name) > 255
      ? `is "${name}", expected the name of a network namespace: at most 255 bytes without slash or space`
      : undefined,
  PID: (pid) =>
    /^[1-9]\d*$/.test(pid) && Number(pid) <= PID_MAX ? undefined : `is "${pid}", expected the id of a process`,
  FD: (path) =>
    posix.isAbsolute(path) ? undefined : `is "${path}", expected an absolute path such as /proc/42/ns/net`,
  MICROSERVICE: () => undefined,
};

/** The wrong fields of an `Interface.namespace`. */
export function validateNamespace(namespace: NetNamespace | undefined): readonly InvalidField[] {
  const { type, reference } = partsOf(namespace);
  if (type === "UNDEFINED") {
    if (reference === "") return [];
    return [{ field: "namespace.type", problem: `is left out, expected one of ${Object.keys(PROBLEMS).join(", ")}` }];
  }
  if (reference === "") return [{ field: "namespace.reference", problem: `is empty, expected what ${type} refers to` }];
  const problem = PROBLEMS[type]?.(reference);
  return problem === undefined ? [] : [{ field: "namespace.reference", problem }];
}

/** Under which a namespace that is there appears; `undefined` for the agent's own. */
export function namespaceKey(namespace: NetNamespace | undefined): string | undefined {
  const { type, reference } = partsOf(namespace);
  return type === "UNDEFINED" ? undefined : `${NAMESPACE_PREFIX}${type.toLowerCase()}/${reference}`;
}

export function namespaceKind(namespace: NetNamespace | undefined): Kind {
  return partsOf(namespace).type;
}

/** How the netlink client finds the namespace; `undefined` for a microservice, which only its container's process tells. */
export function namespaceRef(namespace: NetNamespace | undefined): NamespaceRef | undefined {
  const { type, reference } = partsOf(namespace);
  switch (type) {
    case "NSID":
      return { kind: "named", name: reference };
    case "PID":
      return { kind: "pid", pid: Number(reference) };
    case "FD":
      return { kind: "path", path: reference };
    case "UNDEFINED":
      return { kind: "default" };
    default:
      return undefined;
  }
}

/** What a value in that namespace waits for when it is not there. */
export function namespaceLabel(namespace: NetNamespace | undefined): string {
  const { type, reference } = partsOf(namespace);
  return type === "UNDEFINED" ? "the default namespace" : `${LABELS[type]} ${reference}`;
}

const LABELS: Readonly<Record<Exclude<Kind, "UNDEFINED">, string>> = {
  NSID: "namespace",
  PID: "process",
  FD: "namespace file",
  MICROSERVICE: "microservice",
};

/** The reference as text: for messages, and equal for two references that say the same. */
export function namespaceText(namespace: NetNamespace | undefined): string {
  const { type, reference } = partsOf(namespace);
  return type === "UNDEFINED" ? "the default namespace" : `${KIND_TEXT[type]} ${reference}`;
}

const KIND_TEXT: Readonly<Record<Exclude<Kind, "UNDEFINED">, string>> = {
  NSID: "namespace",
  PID: "the namespace of process",
  FD: "the namespace at",
  MICROSERVICE: "the namespace of microservice",
};

function partsOf(namespace: NetNamespace | undefined): { readonly type: Kind; readonly reference: string } {
  return { type: namespace?.type ?? "UNDEFINED", reference: namespace?.reference ?? "" };
}
