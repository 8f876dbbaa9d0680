import { preload } from "./preload.js";

// The program as it was compiled, module by module.
preload("./main.js");
export const { main } = await import("./main.js");
