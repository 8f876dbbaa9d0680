#!/usr/bin/env node
import { keepCompiledCode } from "./compile-cache.js";
import { preload } from "./preload.js";

keepCompiledCode();
preload("./main.js");
const { main } = await import("./main.js");
await main(process.argv.slice(2));
