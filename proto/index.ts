export * from "./addresses.js";
export * from "./documents.js";
export * from "./escaping.js";
export * from "./generated/index.js";
export * from "./interface-address.js";
export * from "./keys.js";
export * from "./model-error.js";
export * from "./models.js";
