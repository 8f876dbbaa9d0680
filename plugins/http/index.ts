export { type HttpConfig, httpConfig } from "./config.js";
export { type JsonSchema, messageSchemas } from "./describe/message-schemas.js";
export { graphSnapshot } from "./graph/message.js";
export { toSvg } from "./graph/svg.js";
export { HttpPlugin } from "./plugin.js";
