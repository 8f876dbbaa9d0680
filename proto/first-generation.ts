import type { Interface, LinuxInterface, LinuxInterfaceNamespace, NetNamespace } from "./generated/index.js";
import { ModelError } from "./model-error.js";

/**
 * Interfaces as the first generation of Ligato agents wrote them. The `description` is not kept: today's message has no
 * place for it. A value without `name` takes it from its key, as those agents did.
 */
export const firstGenerationInterface = {
  prefix: "linux/config/v1/interface/",
  message: "ligato.linux.v1.LinuxInterface",

  translate(name: string, value: LinuxInterface): Interface {
    const { name: ownName = name, type = "VETH", description: _, namespace, linux_namespace, veth, ...common } = value;
    if (ownName !== name) throw new ModelError("KEY_MISMATCH", "name", `is "${ownName}", and the key says "${name}"`);
    if (type !== "VETH") throw new ModelError("INVALID_FIELD", "type", `${type} is not supported, only VETH`);
    if (namespace && linux_namespace) {
      throw new ModelError("INVALID_FIELD", "linux_namespace", "namespace is given too, and means the same");
    }
    const reference = translateNamespace(
      namespace ?? linux_namespace ?? {},
      namespace ? "namespace" : "linux_namespace",
    );
    return { name, type, ...(reference && { namespace: reference }), ...common, ...(veth && { veth }) };
  },
};

function translateNamespace(namespace: LinuxInterfaceNamespace, field: string): NetNamespace | undefined {
  const { type = "PID", pid = 0, microservice = "", name = "", filepath = "" } = namespace;
  switch (type) {
    case "PID":
      return pid === 0 ? undefined : { type: "PID", reference: String(pid) };
    case "NAMED":
      return name === "" ? undefined : { type: "NSID", reference: name };
    case "MICROSERVICE":
      return { type: "MICROSERVICE", reference: mandatory(`${field}.microservice`, microservice, type) };
    case "FILE":
      return { type: "FD", reference: mandatory(`${field}.filepath`, filepath, type) };
  }
}

function mandatory(field: string, value: string, type: string): string {
  if (value === "") throw new ModelError("MISSING_FIELD", field, `is missing, and type ${type} needs it`);
  return value;
}
