export { isCode } from "./managed-namespaces.js";
export { NamespacesPlugin } from "./plugin.js";
export { namespaceText, validateNamespace } from "./reference.js";
export { type NamespaceLease, Namespaces, type SurveyedNamespace } from "./types.js";
