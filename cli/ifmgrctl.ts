#!/usr/bin/env node
import { main } from "./ifmgrctl/main.js";

await main(process.argv.slice(2));
