export { type HttpConfig, httpConfig } from "./config.js";
export { graphSnapshot } from "./graph/message.js";
export { toSvg } from "./graph/svg.js";
export { HttpPlugin } from "./plugin.js";
