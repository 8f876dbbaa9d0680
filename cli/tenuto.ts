#!/usr/bin/env node
import { bundleFor, loadBundle } from "./bundle.js";
import { keepCompiledCode } from "./compile-cache.js";

keepCompiledCode();
const words = process.argv.slice(2);
const bundle = bundleFor(words, process.env);
const { main } = bundle === undefined ? await import("./modules.js") : loadBundle(bundle);
await main(words);
